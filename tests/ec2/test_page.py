"""docs/ec2.md, typed: from an empty account to a finished run, and back. Machines that are asked for really live.

Each machine runs its script, whose container is a process here: the very session, with the keys of a role.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import servers
from tests.e2e.runs import SHORT
from tests.ec2.cloud import DIGEST, Cloud, living
from tests.ec2.pages import ROOT, module, play, typed
from tests.fakes.ec2 import ACCOUNT, Ec2

PAGE = (ROOT / "docs" / "ec2.md").read_text(encoding="utf-8")


@pytest.fixture
def cloud(aws: Ec2, tmp_path: Path) -> Iterator[Cloud]:
    servers.require("tensorflow")
    with living(aws, tmp_path) as found:
        yield found


def programs(folder: Path) -> None:
    """`aws` by the SDK's models, a Docker that logs in anywhere, and our own command."""
    image = f"$ACCOUNT.dkr.ecr.$REGION.amazonaws.com/facegan@{DIGEST}"
    play(folder, image, aws=module("tests.ec2.awscli"), docker="cat >/dev/null")


def test_the_page_from_an_empty_account_to_an_empty_bill(cloud: Cloud, tmp_path: Path) -> None:
    """Each line as it is typed; the run shortened to a few steps, and on no GPU, as there is none here."""
    aws, folder = cloud.aws, tmp_path / "here"
    aws.empty()
    programs(tmp_path / "bin")
    folder.mkdir()
    (folder / "infra").symlink_to(ROOT / "infra")
    variables = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    exports, *blocks = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    said = typed(f"{exports}\nenv", folder, variables)
    variables |= {
        name: value
        for name, _, value in (line.partition("=") for line in said.splitlines())
        if name in {"REGION", "BUCKET", "PREFIX", "AWS_DEFAULT_REGION", "ACCOUNT"}
    }
    assert variables["ACCOUNT"] == ACCOUNT
    short = " ".join(f"--set {word}" for word in (*SHORT, "session.heartbeat_s=0.5"))
    told = {}
    for line in "".join(blocks).splitlines():
        if " = " in line:
            setting = line.replace("sha256:…", DIGEST).replace('gans"', f'gans?endpoint={aws.url}"')
            with (folder / "facegan.toml").open("a") as file:
                file.write(f"{setting}\n")
            continue
        if "request-service-quota-increase" in line:
            continue  # moto has no quotas of EC2
        text = line.replace("submit dcgan-mnist", f"submit dcgan-mnist {short}").replace(" --gpu t4", "")
        if "submit" in line:
            variables["FACEGAN_AMI"] = "/facegan/ami"
        told[line] = typed(text, folder, variables, may_fail="doctor" in line)
        if line.startswith("facegan-job wait"):
            cloud.wait()
    assert "finished" in told["facegan-job status digits"]
    assert [json_of(out) for line, out in told.items() if "describe-" in line] == ["[]", "[]"]
    (machine,) = cloud.machines
    assert machine.power()[-1] == "-h now"
    assert DIGEST in (machine.folder / "create").read_text()


def json_of(text: str) -> str:
    """The list in an answer that has one list."""
    return re.sub(r"\s", "", text).partition(":")[2].removesuffix("}")
