"""EC2 whose machines really live: each that is asked for runs its script, with a role's keys."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.backends.ec2 import facts
from tests.container.conftest import require
from tests.fakes import metadata
from tests.fakes.ec2 import ACCOUNT, AFTER, Asked, Ec2
from tests.fakes.living import Living
from tests.fakes.vm import Vm

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "7" * 64
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/facegan@{DIGEST}"


@dataclass(kw_only=True)
class Cloud(Living):
    """Switches on each machine that is asked for, and tells EC2 when it has shut down."""

    aws: Ec2

    def begin(self, asked: Asked, when: str) -> None:
        if asked.action == "RunInstances" and when == AFTER:
            self.metadata.identity = {"instanceId": self.aws.machines()[-1].id, "accountId": ACCOUNT}
            self.switch_on(self._made, asked.user_data)

    def take(self) -> None:
        """The newest machine is taken back without a word: its processes are gone in this moment."""
        machine = self.machines[-1]
        self.taken.append(machine)
        machine.clear()
        self.aws.end(code="Server.SpotInstanceTermination")

    def gone(self, machine: Vm) -> None:
        self.aws.console = machine.console()
        self.aws.end(code=facts.ITSELF)

    def _made(self, folder: Path, docker: str) -> Vm:
        variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.url, "AWS_ENDPOINT_URL_ECR": self.aws.url}
        return Vm(folder=folder, environment=variables, docker=docker)


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
