"""docs/gce.md, typed: from an empty project to a finished run, and back. Machines that are asked for really live.

Each machine runs its script, whose container is a process here: the very session, with a toy for a trainer.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ec2.cloud import TOY
from tests.fakes.gce import PROJECT, Gce
from tests.gce.cloud import Cloud, living

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gce.md").read_text(encoding="utf-8")
DIGEST = "sha256:" + "7" * 64
IMAGE = f"us-central1-docker.pkg.dev/{PROJECT}/facegan/facegan@{DIGEST}"
BESIDE = "from jobs import cli, loopback; loopback.of_store = lambda *_: None; cli.main()"
"""Our own command, of a cloud whose machines reach stores on loopback: they are this one."""
SHORT = ("training.steps=20", "checkpoint.every_steps=10", "evaluation.metric=none", "session.heartbeat_s=0.5")


@pytest.fixture
def cloud(google: Gce, tmp_path: Path) -> Iterator[Cloud]:
    with living(google, tmp_path) as found:
        found.program = TOY
        yield found


def typed(text: str, folder: Path, variables: dict[str, str], *, may_fail: bool = False) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env={**os.environ, **variables}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, f"$ {text}\n{done.stderr}"
    assert may_fail or done.returncode == 0, f"$ {text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def programs(folder: Path) -> None:
    """`gcloud` as far as the page goes, and our own command, which builds no image here."""
    folder.mkdir()
    python = sys.executable
    texts = {
        "gcloud": f'export PYTHONPATH={ROOT}; exec {python} -P -m tests.gce.gcloud "$@"',
        "facegan-job": f'[ "$1" = image ] && echo "{IMAGE}" && exit; exec {python} -P -c "{BESIDE}" "$@"',
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)


def as_typed(line: str) -> str:
    """The run shortened, and in the project of the stand-in."""
    short = " ".join(f"--set {word}" for word in SHORT)
    return line.replace("my-project", PROJECT).replace("submit dcgan-mnist", f"submit dcgan-mnist {short}")


@pytest.mark.timeout(400)
def test_the_page_from_an_empty_project_to_an_empty_bill(cloud: Cloud, tmp_path: Path) -> None:
    """Each line as it is typed, in its order."""
    folder = tmp_path / "here"
    programs(tmp_path / "bin")
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
