"""The real program in a real container, made by the machine's own script on a real engine, as the machine's role.

All it reaches is at the engine's own address in its network: the store, and the metadata service that takes it back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from facegan import layout
from facegan.ledger import Ledger
from facegan.verify import verify
from jobs import cli, settings
from jobs import context as contexts
from tests.cloud import servers
from tests.cloud.proxy import proxy
from tests.container import left
from tests.container.conftest import engine, image  # noqa: F401 - the fixtures
from tests.container.runs import address_of
from tests.e2e.runs import RUN, experiment
from tests.ec2.cloud import DIGEST, Cloud, living
from tests.fakes.ec2 import Ec2
from tests.waiting import until

PINNED = f"127.0.0.1:1/me/faces@{DIGEST}"
DOCKER = """#!/bin/bash
[ "$1" = pull ] && exit
words=()
for word in "$@"; do [ "$word" = {pinned} ] && word={image}; words+=("$word"); done
exec {docker} "${{words[@]}}"
"""
"""The real engine's command. The image is on the engine already: what is pulled, is in test_engine.py."""
NOTICE = {"action": "terminate", "time": "2099-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """A user, whose runs are in a store that containers reach."""

    cloud: Cloud
    engine: Any
    url: str  # of the run

    def ledger(self) -> Ledger:
        found = contexts.real(settings.load()).ledger(RUN)
        found.refresh()
        return found

    def reaches(self, step: int) -> None:
        until(lambda: self.ledger().fold.reached >= step, self.cloud.machines[-1].console)

    def containers(self) -> list[Any]:
        return left.containers(self.engine, self.url)


@pytest.fixture
def here(
    aws: Ec2,
    engine: Any,  # noqa: F811 - pytest's way
    image: str,  # noqa: F811
    tmp_path: Path,
    boring_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Here]:
    address = address_of(engine)
    with proxy(aws.url, address) as between, living(aws, tmp_path, at=address) as cloud:
        store = f"s3://{servers.BUCKET}/gans?endpoint={between.url}"
        told = {"STORE": store, "BACKEND": "ec2", "IMAGE": PINNED, "AMI": "/facegan/ami", "HOME": boring_environment}
        for name, value in told.items():
            monkeypatch.setenv(f"FACEGAN_{name}", str(value))
        words = {"{pinned}": PINNED, "{image}": image, "{docker}": str(shutil.which("docker"))}
        cloud.docker = DOCKER
        for name, value in words.items():
            cloud.docker = cloud.docker.replace(name, value)
        url = layout.run_url(store, RUN)
        yield Here(cloud=cloud, engine=engine, url=url)
    left.clear(engine, url)


@pytest.mark.timeout(900)
def test_the_real_program_is_taken_back_and_goes_on_in_the_next_machine(here: Here) -> None:
    short = experiment("training.steps=100000", "checkpoint.every_steps=16", "session.heartbeat_s=0.5")
    assert cli.run(["submit", "dcgan-mnist", "--name", RUN, "-d", *short]) == 0
    here.reaches(16)
    here.cloud.metadata.action = NOTICE
    here.cloud.wait()
    here.cloud.metadata.action = None
    (report,) = [each.body for each in here.ledger().entries() if each.kind == "report"]
    assert (report["outcome"], report["why"]) == ("interrupted", f"EC2 will terminate this machine at {NOTICE['time']}")
    last = here.ledger().fold.reached
    assert last == report["step"], "no step was lost"

    assert cli.run(["resume", RUN, "-d"]) == 0
    here.reaches(last + 16)
    assert cli.run(["stop", RUN]) == 0
    here.cloud.wait()
    restored = [each.body["step"] for each in here.ledger().entries() if each.kind == "restored"]
    assert restored == [0, last]
    assert not verify(here.ledger()).wrong
    first, second = here.containers()
    for made in (first, second):
        assert made.attrs["Config"]["User"] == "10001:10001"
        assert made.attrs["HostConfig"]["ReadonlyRootfs"] is True
        assert made.attrs["State"]["ExitCode"] == 75
    log = contexts.real(settings.load()).store.get(layout.machine_log(RUN, 1)).decode()
    assert "the session has ended with exit code 75" in log
    assert all(each._state.name == "terminated" for each in here.cloud.aws.machines())
