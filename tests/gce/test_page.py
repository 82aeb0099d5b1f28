"""docs/gce.md, typed: from an empty project to a finished run, and back. Machines that are asked for really live.

Each machine runs its script, whose container is a process here: the very session, with a toy for a trainer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ec2.pages import ROOT, module, play, typed
from tests.fakes.gce import PROJECT, Gce
from tests.fakes.living import TOY
from tests.gce.cloud import Cloud, living

PAGE = (ROOT / "docs" / "gce.md").read_text(encoding="utf-8")
DIGEST = "sha256:" + "7" * 64
IMAGE = f"us-central1-docker.pkg.dev/{PROJECT}/facegan/facegan@{DIGEST}"
SHORT = ("training.steps=20", "checkpoint.every_steps=10", "evaluation.metric=none", "session.heartbeat_s=0.5")


@pytest.fixture
def cloud(google: Gce, tmp_path: Path) -> Iterator[Cloud]:
    with living(google, tmp_path) as found:
        found.program = TOY
        yield found


def as_typed(line: str) -> str:
    """The run shortened, and in the project of the stand-in."""
    short = " ".join(f"--set {word}" for word in SHORT)
    return line.replace("my-project", PROJECT).replace("submit dcgan-mnist", f"submit dcgan-mnist {short}")


def test_the_page_from_an_empty_project_to_an_empty_bill(cloud: Cloud, tmp_path: Path) -> None:
    """Each line as it is typed, in its order."""
    folder = tmp_path / "here"
    play(tmp_path / "bin", IMAGE, gcloud=module("tests.gce.gcloud"))
    folder.mkdir()
    (folder / "infra").symlink_to(ROOT / "infra")
    variables = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KEY_OF_THE_USER": os.environ["GOOGLE_APPLICATION_CREDENTIALS"],
    }
    told = {}
    for line in "".join(re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)).splitlines():
        if " = " in line:
            with (folder / "facegan.toml").open("a") as file:
                file.write(as_typed(line).replace("sha256:…", DIGEST) + "\n")
        elif line.startswith("export "):
            said = typed(f"{as_typed(line)}\nenv -0", folder, variables)
            named = set(re.findall(r"(\w+)=", line))
            found = dict(each.partition("=")[::2] for each in said.split("\0") if "=" in each)
            variables |= {name: value for name, value in found.items() if name in named}
        else:
            told[line] = typed(as_typed(line), folder, variables, may_fail="doctor" in line)
            if line.startswith("facegan-job wait"):
                cloud.wait()
    assert "finished" in told["facegan-job status digits"]
    assert [out.strip() for line, out in told.items() if " list " in line] == ["[]", "[]"]
    assert '"requestId"' in next(out for line, out in told.items() if "--dry-run" in line)
    assert "GPUS_ALL_REGIONS 1" in told["facegan-job doctor"]
    (machine,) = cloud.machines
    assert machine.power()[-1] == "-h now"
    assert DIGEST in (machine.folder / "create").read_text()
    assert not cloud.google.instances
