"""EC2 whose machines really live: each that is asked for runs its script, and is gone when that shuts it down.

The script's container is a process here: what `program` says of Python runs the very session, with a role's keys.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.backends.ec2 import facts
from tests.container.conftest import require
from tests.fakes import metadata
from tests.fakes.ec2 import ACCOUNT, AFTER, Asked, Ec2
from tests.fakes.vm import Vm

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "7" * 64
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/facegan@{DIGEST}"
REAL = "-P -m facegan"
TOY = f"-c 'import sys; sys.path.insert(0, \"{ROOT}\"); from tests.ec2.toys import main; main()'"
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
  cd {folder} && exec {python} {program} "${{words[@]}}" ;;
inspect) case "$3" in *OOM*) echo false false ;; esac ;;
esac
"""


@dataclass(kw_only=True)
class Cloud:
    """Switches on each machine that is asked for, and tells EC2 when it has shut down.

    `docker` is what plays the engine there instead of `SESSION`, if anything.
    """

    aws: Ec2
    folder: Path
    metadata: metadata.Machine
    program: str = REAL
    docker: str = SESSION
    machines: list[Vm] = field(default_factory=list)
    ended: list[threading.Thread] = field(default_factory=list)
    taken: list[Vm] = field(default_factory=list)

    def begin(self, asked: Asked, when: str) -> None:
        if asked.action != "RunInstances" or when != AFTER:
            return
        folder = self.folder / f"machine-{len(self.machines)}"
        docker = self.docker.format(folder=shlex.quote(str(folder)), python=sys.executable, program=self.program)
        variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.url, "AWS_ENDPOINT_URL_ECR": self.aws.url}
        made = Vm(folder=folder, environment=variables, docker=docker)
        identity = self.aws.machines()[-1].id
        self.machines.append(made)
        self.metadata.identity = {"instanceId": identity, "accountId": ACCOUNT}
        made.start(asked.user_data)
        self.ended.append(threading.Thread(target=self._end, args=(made,), daemon=True))
        self.ended[-1].start()

    def take(self) -> None:
        """The newest machine is taken back without a word: its processes are gone in this moment."""
        machine = self.machines[-1]
        self.taken.append(machine)
        machine.clear()
        self.aws.end(code="Server.SpotInstanceTermination")

    def _end(self, machine: Vm) -> None:
        machine.wait(600)
        if machine not in self.taken:
            self.aws.console = machine.console()
            self.aws.end(code=facts.ITSELF)

    def wait(self) -> None:
        """Until the newest machine is gone."""
        self.ended[-1].join(600)
        assert not self.ended[-1].is_alive()

    def clear(self) -> None:
        for machine in self.machines:
            machine.clear()


@contextlib.contextmanager
def living(aws: Ec2, folder: Path, *, at: str = "127.0.0.1") -> Iterator[Cloud]:
    """Such a cloud; the metadata service of its machines is at this address."""
    require(shutil.which("curl"), "curl is not installed")
    with metadata.serving(at) as said:
        said.role = "facegan-session"
        until = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        said.keys = {
            "Code": "Success",
            "AccessKeyId": "ASIA",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": until,
        }
        cloud = Cloud(aws=aws, folder=folder, metadata=said)
        aws.watch = cloud.begin
        yield cloud
        cloud.clear()
