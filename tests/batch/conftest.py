"""An account with a queue and a job definition, as docs/batch.md makes them, and no job."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ec2.conftest import account, aws  # noqa: F401 - the fixtures
from tests.fakes.ec2 import ACCOUNT, AFTER, REGION, Asked, Ec2, client_of

FOLDER = Path(__file__).parents[2] / "infra" / "batch"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/facegan@sha256:" + "5" * 64


@dataclass(kw_only=True)
class Batch:
    """The engine: jobs do nothing by themselves, and are in the state that a test puts them into."""

    aws: Ec2
    count: int = 0

    def file(self, name: str, **more: str) -> dict[str, Any]:
        """One of infra/batch, filled in."""
        of = client_of(self.aws)
        text = (FOLDER / name).read_text()
        subnet = of("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        group = of("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
        values = {"SUBNET": subnet, "GROUP": group, "ACCOUNT": ACCOUNT, "IMAGE": IMAGE, **more}
        for word, value in values.items():
            text = text.replace(word, value)
        found: dict[str, Any] = json.loads(text)
        return found

    def jobs(self) -> list[Any]:
        """Every job there ever was, as moto has them."""
        from moto.batch.models import batch_backends

        return list(batch_backends[ACCOUNT][REGION]._jobs.values())

    def put(self, status: str, reason: str | None = None, identity: str | None = None) -> None:
        """The newest job, or that one, is in this state now."""
        job = next(each for each in reversed(self.jobs()) if identity in {None, each.job_id})
        job.status, job.job_stopped_reason = status, reason
        job.job_stopped = status in {"SUCCEEDED", "FAILED"}

    def submitted(self) -> list[dict[str, Any]]:
        return [json.loads(each.parameters[""]) for each in self.aws.asked if each.action == "submitjob"]

    def watch(self, asked: Asked, when: str) -> None:
        if when == AFTER and asked.action == "submitjob" and len(self.jobs()) > self.count:
            self.put("RUNNABLE")
            self.count = len(self.jobs())
        if when == AFTER and asked.action == "terminatejob":
            said = json.loads(asked.parameters[""])
            self.put("FAILED", said["reason"], said["jobId"])


@pytest.fixture
def batch(aws: Ec2, monkeypatch: pytest.MonkeyPatch) -> Iterator[Batch]:  # noqa: F811 - pytest's way
    from moto.backends import get_backend
    from moto.core.config import default_user_config

    monkeypatch.setitem(default_user_config, "batch", {"use_docker": False})
    found, of = Batch(aws=aws), client_of(aws)
    of("iam").create_instance_profile(InstanceProfileName="facegan-batch")
    role = f"arn:aws:iam::{ACCOUNT}:role/facegan-session"  # moto makes no role of its own, as Batch does
    of("batch").create_compute_environment(**found.file("compute-environment.json"), serviceRole=role)
    of("batch").create_job_queue(**found.file("queue.json"))
    of("batch").register_job_definition(**found.file("definition.json"))
    aws.asked.clear()
    aws.watch = found.watch
    yield found
    aws.watch = lambda _asked, _when: None
    for service in ("batch", "logs"):
        get_backend(service).reset()
