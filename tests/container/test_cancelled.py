"""A container that is ended for good, for certain, and twice; and what it has printed meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.base import Order
from jobs.backends.docker import DockerBackend, container
from jobs.settings import Settings

SPEAKS = "echo first; printf 'no end'; sleep 600"
REFUSES = f"trap '' TERM; {SPEAKS}"


@pytest.fixture
def order() -> Order:
    run = f"facegan-test-{uuid.uuid4().hex[:8]}"
    return Order(run=run, run_url=f"s3://nowhere/runs/{run}", number=1)


@pytest.fixture
def backend(tmp_path: Path) -> DockerBackend:
    return DockerBackend(Settings(home=tmp_path, store="s3://nowhere", backend="docker", tracking=""))


@pytest.fixture(params=[SPEAKS, REFUSES])
def ref(
    engine: Any, image: str, order: Order, backend: DockerBackend, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    """Of a container of this session's name that does not train."""
    made = engine.containers.run(
        image,
        ["-c", request.param],
        entrypoint="/bin/sh",
        name=container.name(order),
        detach=True,
        stop_signal="SIGTERM",
        labels={"facegan-test": "cancelled"},
    )
    try:
        known = backend.look_up(order)
        assert known is not None
        yield known
    finally:
        made.remove(force=True)


def test_it_is_stopped_for_certain_and_keeps_what_it_printed(
    ref: dict[str, str], order: Order, backend: DockerBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.backends.docker.backend.ENDING_S", 1)
    assert backend.fate(ref).life is Life.ALIVE
    while not list(backend.printed(order)):
        continue
    with pytest.raises(BadInputError, match="another answers"):
        backend.cancel({**ref, "engine": "another"})
    backend.cancel(ref)
    assert backend.fate(ref).life is Life.GONE
    backend.cancel(ref)
    assert list(backend.printed(order)) == ["first\n"]


@pytest.mark.parametrize("ref", [REFUSES], indirect=True)
def test_it_is_killed_without_a_word(ref: dict[str, str], backend: DockerBackend) -> None:
    backend.kill({**ref, "engine": "another"})
    assert backend.fate(ref).life is Life.ALIVE
    backend.kill(ref)
    while backend.fate(ref).life is Life.ALIVE:
        continue
    assert backend.fate(ref).why == "its container was killed"
    backend.kill(ref)


@pytest.mark.usefixtures("engine")
def test_of_a_container_that_is_not_there_nothing_is_said(order: Order, backend: DockerBackend) -> None:
    known = {"engine": "", "container": "none"}
    assert list(backend.printed(order)) == []
    with pytest.raises(BadInputError):
        backend.cancel(known)
