"""An engine that answers, and the training image of the code as it is now."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud import servers

if TYPE_CHECKING:
    from tests.container.runs import Docked
    from tests.e2e.outcome import Outcome

HOST = os.environ.get("DOCKER_HOST")  # as the tests were started: no test sees it later
BASE = os.environ.get("FACEGAN_TEST_BASE")  # what to build upon where no registry of images can be reached
GIVEN = os.environ.get("FACEGAN_TEST_IMAGE")  # an image to take as it is
TAG = "facegan-job:test-cpu"


def require(met: object, why: str) -> None:
    """Skip where something is not there; on CI it has to be."""
    if not met:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@pytest.fixture(scope="session")
def engine() -> Any:
    """A client of the engine that the developer's own commands would use."""
    require(importlib.util.find_spec("docker"), "docker is not installed (pip install 'facegan-job[docker]')")
    from facegan.errors import FaceganError
    from jobs import engine as engines

    try:
        return engines.connect(HOST)
    except FaceganError as error:
        require(met=False, why=f"no Docker engine: {error.message}")


@pytest.fixture(scope="session")
def image(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tag of an image for CPUs, built from the code as it is; all but its last layer comes from earlier builds."""
    if GIVEN:
        return GIVEN
    from jobs import image as images

    with one_at_a_time(tmp_path_factory.getbasetemp().parent / "image.lock"):
        return images.build(engine, plan(TAG), lambda _line: None).reference


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Of all that test at once, one builds, and the others find what it built: two would do the long work twice."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def plan(tag: str) -> Any:
    """An image for CPUs, upon what can be had here."""
    from jobs import image as images

    return images.Plan(device="cpu", tag=tag, base=BASE, network="host")


@pytest.fixture(autouse=True)
def credentials(boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - after it
    """Nobody's, which the store of these tests takes."""
    for name, value in servers.NOBODY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def moto() -> str:
    return servers.shared_moto()


@pytest.fixture
def users(engine: Any, image: str, moto: str, boring_environment: Path) -> Iterator[Callable[[str], Docked]]:
    """Users of the engine by name, each with a home and a store of their own, which containers reach."""
    from tests.container import runs

    with contextlib.ExitStack() as until_the_end:

        def user(name: str = "me") -> Docked:
            at = runs.address_of(engine)
            return until_the_end.enter_context(runs.at_an_engine(engine, at, image, moto, boring_environment / name))

        yield user


@pytest.fixture
def user(users: Callable[[str], Docked]) -> Docked:
    return users("me")


@pytest.fixture(scope="session")
def untouched(engine: Any, image: str, moto: str, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What becomes of the run when nobody touches it."""
    from tests.container import runs

    with pytest.MonkeyPatch.context() as patched:
        for name, value in servers.NOBODY.items():
            patched.setenv(name, value)
        home = tmp_path_factory.mktemp("untouched")
        with runs.at_an_engine(engine, runs.address_of(engine), image, moto, home) as alone:
            return runs.untouched(alone)
