"""Who goes on with a run and names no GPU gets the one of its last session, and the CPU only where they say so."""

from __future__ import annotations

import pytest

from facegan.storage import ObjectStore
from jobs.cli import resume as resuming
from jobs.errors import JobError
from jobs.supervision.past import Past
from jobs.supervision.policy import Allowed
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli
from tests.unit.jobs.world import RUN


def ended(store: ObjectStore, backend: str, **more: object) -> None:
    world.create(store)
    world.append(store, "intent", session=1, backend=backend, **more)
    world.append(store, "lost", session=1, why="its machine is not there", outcome="lost")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The GPUs that places were asked for: none of them runs anything."""
    found: list[str | None] = []

    def first(_context: object, relay: resuming.Relay, *_: object) -> None:
        found.append(relay.gpu)
        raise JobError("no place runs anything")

    monkeypatch.setattr(resuming.places, "first", first)
    return found


@pytest.mark.parametrize(
    ("before", "typed", "expected"),
    [
        ({"gpu": "T4"}, (), "T4"),
        ({"gpu": None}, (), None),
        ({"gpu": "T4"}, ("--gpu", "l4"), "l4"),
        ({"gpu": "T4"}, ("--gpu", "none"), "none"),
        ({"gpu": "T4"}, ("--backend", "ec2"), "T4"),
        ({"gpu": "T4"}, ("--backend", "docker"), None),
        ({"gpu": "T4", "relay": {"backends": ["ec2"], "gpu": "L4"}}, (), "L4"),
    ],
)
def test_resume_asks_for_the_gpu_of_the_last_session(  # noqa: PLR0917 - fixtures
    cli: Cli,
    file_store: ObjectStore,
    asked: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
    before: dict[str, object],
    typed: tuple[str, ...],
    expected: str | None,
) -> None:
    monkeypatch.setenv("FACEGAN_BACKEND", "ec2")
    ended(file_store, "ec2", **before)
    assert cli("resume", RUN, "-d", *typed).code == 1
    assert asked == [expected]


@pytest.mark.parametrize(("backend", "expected"), [("ec2", "T4"), ("kaggle,ec2", "T4"), ("gce", None)])
def test_watch_goes_on_with_it_too(
    cli: Cli, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, backend: str, expected: str | None
) -> None:
    from jobs import settings

    del cli
    monkeypatch.setenv("FACEGAN_BACKEND", backend)
    ended(file_store, "ec2", gpu="T4")
    ledger = world.ledger(file_store)
    ledger.refresh()
    past = Past(ledger)
    assert Allowed(settings=settings.load()).policy(past.relay(), past).gpu == expected


def test_none_is_the_word_for_the_cpu(cli: Cli, file_store: ObjectStore) -> None:
    del file_store
    said = cli("submit", "dcgan-mnist", "--gpu", "None", "--dry-run")
    assert said.code == 0, said.err
