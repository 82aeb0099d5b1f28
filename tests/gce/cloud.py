"""Compute Engine whose machines really live: each that is asked for runs its script, and deletes itself."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.container.conftest import require
from tests.fakes import metadata
from tests.fakes.gce import AFTER, MACHINE, PROJECT, Asked, Gce, Json, zone_of
from tests.fakes.living import Living
from tests.fakes.vm import Vm
from tests.security.canaries import canary

TOKEN = canary("token")
NUMBER = "123456789012"  # of the project, which the metadata server names zones with


@dataclass(kw_only=True)
class Cloud(Living):
    """Switches on each machine that is asked for, and tells Compute Engine when one has shut down."""

    google: Gce

    def begin(self, asked: Asked, when: str) -> None:
        if asked.method == "instances.insert" and when == AFTER:
            about(self.metadata, self.google.instances[-1])
            self.switch_on(lambda folder, docker: machine(folder, self.metadata, docker), asked.script)

    def take(self) -> None:
        """The newest machine is taken back without a word: its processes are gone in this moment."""
        self.taken.append(self.machines[-1])
        with self.google.at_work:
            self.google.preempt()
            self.machines[-1].clear()

    def gone(self, machine: Vm) -> None:
        settle(self.google, machine)


def machine(folder: Path, said: metadata.Machine, docker: str | None = None) -> Vm:
    """A machine of Compute Engine, beside the stand-ins of the test."""
    names = ("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "STORAGE_EMULATOR_HOST")
    variables = {**{name: os.environ[name] for name in names}, "GCE_METADATA_HOST": said.host}
    return Vm(folder=folder, environment=variables, docker=docker, hurries=True)


def about(said: metadata.Machine, instance: Json) -> None:
    """The metadata server is this machine's."""
    said.google = {
        "instance/id": instance["id"],
        "instance/name": instance["name"],
        "instance/zone": f"projects/{NUMBER}/zones/{zone_of(instance)}",
        "project/project-id": PROJECT,
        "instance/service-accounts/default/token": json.dumps(
            {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}, separators=(",", ":")
        ),
    }


def settle(google: Gce, machine: Vm) -> None:
    """A machine that is being deleted is gone; one that was not, and has shut down, is there without doing anything."""
    with google.at_work:
        google.console = machine.console()
        for _ in range(google.polls + 1):
            google.advance()
        if google.instances:
            google.stop()


@contextlib.contextmanager
def serving() -> Iterator[metadata.Machine]:
    """The metadata server of a machine with a service account."""
    require(shutil.which("curl"), "curl is not installed")
    with metadata.serving() as said:
        yield said


@contextlib.contextmanager
def living(google: Gce, folder: Path) -> Iterator[Cloud]:
    """Such a cloud, which does at once what it is asked for."""
    google.tokens[TOKEN] = MACHINE
    google.polls = 0
    with serving() as said:
        cloud = Cloud(google=google, folder=folder, metadata=said)
        google.watch = cloud.begin
        yield cloud
        cloud.clear()
