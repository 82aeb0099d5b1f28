"""docs/ec2.md, typed: from an empty account to a finished run, and back. Machines that are asked for really live.

Each machine runs its script, whose container is a process here: the very session, with the keys of a role.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.backends.ec2 import facts
from tests.cloud import servers
from tests.container.conftest import require
from tests.e2e.runs import SHORT
from tests.fakes import metadata
from tests.fakes.ec2 import ACCOUNT, AFTER, Asked, Ec2
from tests.fakes.vm import Vm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ec2.md").read_text(encoding="utf-8")
DIGEST = "sha256:" + "7" * 64
SESSION = """#!/bin/bash
case "$1" in
create) printf '%s\\n' "$@" >{folder}/create ;;
cp) tar -xf - -C {folder} ;;
login) cat >{folder}/password ;;
start)
  mapfile -t words <{folder}/create
  while [ "${{words[0]}}" != run ]; do words=("${{words[@]:1}}"); done
  words[-1]={folder}/handed.json
  export FACEGAN_HOME={folder}/scratch
  cd {folder} && exec {python} -P -m facegan "${{words[@]}}" ;;
inspect) case "$3" in *OOM*) echo false false ;; esac ;;
esac
"""


@dataclass(kw_only=True)
class Cloud:
    """Switches on each machine that is asked for, and tells EC2 when it has shut down."""

    aws: Ec2
    folder: Path
    metadata: metadata.Machine
    machines: list[Vm] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, asked: Asked, when: str) -> None:
        if asked.action != "RunInstances" or when != AFTER:
            return
        folder = self.folder / f"machine-{len(self.machines)}"
        docker = SESSION.format(folder=shlex.quote(str(folder)), python=sys.executable)
        variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.url, "AWS_ENDPOINT_URL_ECR": self.aws.url}
        made = Vm(folder=folder, environment=variables, docker=docker)
        self.machines.append(made)
        self.metadata.identity = {"instanceId": self.aws.machines()[-1].id, "accountId": ACCOUNT}
        made.start(asked.user_data)
        self._threads.append(threading.Thread(target=self._end, args=(made,), daemon=True))
        self._threads[-1].start()

    def _end(self, machine: Vm) -> None:
        machine.wait(600)
        self.aws.console = machine.console()
        self.aws.end(code=facts.ITSELF)

    def clear(self) -> None:
        for machine in self.machines:
            machine.clear()


@pytest.fixture
def cloud(aws: Ec2, tmp_path: Path) -> Iterator[Cloud]:
    servers.require("tensorflow")
    require(shutil.which("curl"), "curl is not installed")
    with metadata.serving() as said:
        said.role = "facegan-session"
        until = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        said.keys = {
            "Code": "Success",
            "AccessKeyId": "ASIA",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": until,
        }
        found = Cloud(aws=aws, folder=tmp_path, metadata=said)
        aws.watch = found.begin
        yield found
        found.clear()


def typed(text: str, folder: Path, variables: dict[str, str], *, may_fail: bool = False) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env={**os.environ, **variables}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, f"$ {text}\n{done.stderr}"
    assert may_fail or done.returncode == 0, f"$ {text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def programs(folder: Path) -> None:
    """`aws` by the SDK's models, a Docker that logs in anywhere, and our own command, which builds no image here."""
    folder.mkdir()
    python, image = sys.executable, f"$ACCOUNT.dkr.ecr.$REGION.amazonaws.com/facegan@{DIGEST}"
    texts = {
        "aws": f'export PYTHONPATH={ROOT}; exec {python} -P -m tests.ec2.awscli "$@"',
        "docker": "cat >/dev/null",
        "facegan-job": f'[ "$1" = image ] && echo "{image}" && exit; '
        f'exec {python} -P -c "from jobs.cli import main; main()" "$@"',
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)


@pytest.mark.timeout(400)
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
    assert "finished" in told["facegan-job status digits"]
    assert [json_of(out) for line, out in told.items() if "describe-" in line] == ["[]", "[]"]
    (machine,) = cloud.machines
    assert machine.power()[-1] == "-h now"
    assert DIGEST in (machine.folder / "create").read_text()


def json_of(text: str) -> str:
    """The list in an answer that has one list."""
    return re.sub(r"\s", "", text).partition(":")[2].removesuffix("}")


@pytest.mark.timeout(400)
def test_a_machine_that_is_taken_back_saves_itself_and_the_next_one_goes_on(cloud: Cloud, tmp_path: Path) -> None:
    aws = cloud.aws
    variables = {
        "FACEGAN_STORE": f"s3://{servers.BUCKET}/gans?endpoint={aws.url}",
        "FACEGAN_BACKEND": "ec2",
        "FACEGAN_AMI": "/facegan/ami",
        "FACEGAN_IMAGE": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/facegan@{DIGEST}",
        "HOME": str(tmp_path),
    }
    job = f"{sys.executable} -P -c 'from jobs.cli import main; main()'"
    short = " ".join(f"--set {word}" for word in (*SHORT, "session.heartbeat_s=0.5"))
    cloud.metadata.action = {"action": "terminate", "time": "2099-01-01T00:00:00Z"}
    typed(f"{job} submit dcgan-mnist --name a-run --set training.steps=100000 -d {short}".replace(
        "--set training.steps=48", ""), tmp_path, variables)  # fmt: skip
    typed(f"{job} wait a-run", tmp_path, variables, may_fail=True)
    said = typed(f"{job} status a-run", tmp_path, variables)
    assert "EC2 will terminate this machine" in said
    cloud.metadata.action = None
    typed(f"{job} resume a-run -d", tmp_path, variables)
    assert len(cloud.machines) == 2
    typed(f"{job} cancel a-run", tmp_path, variables)
    typed(f"{job} verify a-run", tmp_path, variables)
