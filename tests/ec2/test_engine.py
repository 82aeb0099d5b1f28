"""The start script with a real Docker engine, and a real registry: an image by its digest, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facegan.storage import open_store
from jobs import image as images
from jobs.backends import vm
from jobs.backends.base import Order
from jobs.backends.ec2 import script
from tests.container import left
from tests.container.conftest import engine  # noqa: F401 - the fixture
from tests.container.test_image_push import EMPTY_TAR, registry  # noqa: F401 - the fixture
from tests.ec2.submitting import order, store
from tests.fakes import metadata
from tests.fakes.ec2 import ACCOUNT, Ec2
from tests.fakes.vm import Vm

TAG = "facegan-machine:test-empty"


@pytest.fixture
def pushed(engine: Any, registry: str) -> Iterator[str]:  # noqa: F811 - pytest's way
    """An image with nothing in it, by its digest in the registry, and not on the engine."""
    engine.api.import_image_from_data(EMPTY_TAR, repository="facegan-machine", tag="test-empty")
    pinned = images.push(engine, TAG, f"{registry}/me/faces", lambda _line: None)
    engine.api.remove_image(f"{registry}/me/faces:test-empty")
    engine.api.remove_image(TAG)
    yield pinned
    for found in engine.api.images(name=f"{registry}/me/faces"):
        engine.api.remove_image(found["Id"], force=True)


@pytest.fixture
def machine(aws: Ec2, engine: Any, tmp_path: Path) -> Iterator[Vm]:  # noqa: F811 - pytest's way
    with metadata.serving() as said:
        said.role = "facegan-session"
        said.keys = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t"}
        said.identity = {"instanceId": "i-0abcdef1234567890", "accountId": ACCOUNT}
        found = Vm(folder=tmp_path / "machine", environment={"AWS_EC2_METADATA_SERVICE_ENDPOINT": said.url})
        yield found
        found.clear()
    left.clear(engine, order(aws.url).run_url)


def ending(machine: Vm, aws: Ec2, named: str) -> str | None:
    """Why the machine ended that was to run this image, as it has left it in the store."""
    asked: Order = replace(order(aws.url, gpu=None), bundle={"image": named, "id": None, "digest": named})
    machine.start(script.render(asked, "us-east-1", vm.Life()))
    machine.wait()
    return vm.why(open_store(store(aws.url)).get(vm.log_key(asked)).decode())


def test_an_image_is_pulled_by_its_digest_and_one_that_cannot_run_says_so(aws: Ec2, machine: Vm, pushed: str) -> None:
    """It is pulled, its container is made as a session's is, and takes what it is handed: then there is no program."""
    why = ending(machine, aws, pushed)
    assert why is not None
    assert why.startswith("its container could not be started: "), machine.console()
    assert 'exec: "run": executable file not found' in why


def test_a_digest_that_the_registry_does_not_have(aws: Ec2, machine: Vm, pushed: str) -> None:
    why = ending(machine, aws, f"{pushed.partition('@')[0]}@sha256:{'0' * 64}")
    assert why is not None
    assert why.startswith("its image cannot be pulled: ")
    assert "unknown" in why
