"""An engine with the stack's images, and the stack, once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud import servers
from tests.container.conftest import engine, image, require

if TYPE_CHECKING:
    from tests.stack.world import Stack

__all__ = ["engine", "image"]

IMAGES = ("facegan-store:16.2.15", "facegan-mlflow:3.17.2")
NOBODY = {name: value for name, value in servers.NOBODY.items() if "KEY" not in name}


@pytest.fixture(scope="module")
def stack(engine: Any, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """For its one file, and no longer: three services that are asked every two seconds whether they are well."""
    servers.require("boto3", "mlflow", "tensorflow", "mlxtend")
    require(shutil.which("docker"), "the docker command is not installed")
    there = {tag for found in engine.api.images() for tag in found["RepoTags"] or ()}  # none is asked after: it may go
    require(there.issuperset(IMAGES), "the stack's images are not on the engine: make up builds them")
    compose = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    require(compose or shutil.which("docker-compose"), "there is no docker compose")

    from tests.stack import world

    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith(("AWS_", "FACEGAN_STORE", "COMPOSE_", "MLFLOW_"))]:
            patched.delenv(name)
        for name, value in NOBODY.items():
            patched.setenv(name, value)
        at, home = (tmp_path_factory.mktemp(name) for name in ("stack", "stack-home"))
        with world.stack(at, home, image) as found:
            yield found


@pytest.fixture(autouse=True)
def user(boring_environment: object, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - after it
    """Every test runs in the shell of someone who typed what `make up` said."""
    for name, value in {**NOBODY, **stack.typed}.items():
        if name.startswith(("AWS_", "FACEGAN_")):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("FACEGAN_HOME", str(stack.home))
