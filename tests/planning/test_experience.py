"""What the user's own sessions say of the next ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from facegan.hours.dividing import PARTS, QUEUE, USEFUL, SessionHours
from facegan.hours.stays import Stay
from facegan.spent import SAVING, STARTING
from facegan.storage.memory import MemoryStore
from jobs.planning import estimates
from jobs.planning.moments import parse
from jobs.planning.prospects import Estimate
from jobs.supervision import experience
from jobs.supervision.experience import had, rates, starts, waits, work
from tests.unit.jobs import world

WORK = work(world.experiment())


def session(backend: str = "kaggle", **parts: int) -> SessionHours:
    """One that was asked for at 0 and made 900 steps; its parts in milliseconds."""
    said: dict[str, Any] = {"first": 100, "last": 1000, "leased": 5, "restored": 6, "asked": 0}
    said |= {name: parts.pop(name) for name in list(parts) if name not in PARTS}
    stay = Stay(number=1, backend=backend, gpu=said.pop("gpu", "T4"), **said)
    return SessionHours(stay=stay, parts={**dict.fromkeys(PARTS, 0), **parts})


def test_a_session_says_how_long_it_was_waited_for_how_long_it_took_to_begin_and_how_fast_it_was() -> None:
    told = had("r", WORK, session(**{QUEUE: 30_000, STARTING: 60_000, USEFUL: 80_000, SAVING: 10_000}))
    assert (told.wait_s, told.start_s, told.rate) == (30.0, 60.0, 10.0)


def test_what_it_did_not_come_to_it_does_not_say() -> None:
    unborn = had("r", WORK, session(leased=None, restored=None, last=100, **{QUEUE: 9_000_000}))  # type: ignore[arg-type]
    assert (unborn.wait_s, unborn.start_s, unborn.rate) == (None, None, None)
    short = had("r", WORK, session(**{USEFUL: 1_000}))
    assert short.rate is None
    away = had("r", WORK, session(carried=True, **{QUEUE: 30_000, USEFUL: 90_000}))
    assert (away.wait_s, away.rate) == (None, 10.0)


def test_own_rates_are_of_the_same_work_on_the_same_gpu() -> None:
    here = had("r", WORK, session(**{USEFUL: 90_000}))
    slower = had("s", WORK, session("colab", **{USEFUL: 100_000}))
    other = had("t", "other work", session(**{USEFUL: 9_000}))
    cpu = dataclasses.replace(here, gpu=None)
    found = rates([here, slower, other, cpu], WORK, "kaggle", "T4")
    assert found is not None
    assert (found[0].likely, found[1]) == (10.0, "1 session of yours on kaggle")
    found = rates([slower, other], WORK, "kaggle", "T4")
    assert found is not None
    assert (found[0].likely, found[1]) == (9.0, "1 session of yours on colab")
    assert rates([cpu], WORK, "docker", None) is None, "another processor"
    assert rates([here], WORK, "kaggle", "L4") is None


def test_the_same_steps_are_the_same_work() -> None:
    assert work(world.experiment("training.steps=99", "seed=3", "samples.every_steps=9")) == WORK
    assert work(world.experiment("training.batch_size=32")) != WORK
    assert work(world.experiment("model.latent=50")) != WORK


def test_waits_are_of_a_place_and_starts_too() -> None:
    told = [had("r", WORK, session(**{QUEUE: 1000 * each, STARTING: 5000})) for each in (10, 20, 300)]
    assert waits(told, "kaggle", "T4") == Estimate(likely=20.0, low=10.0, high=300.0)
    assert waits(told, "kaggle", None) is None
    assert waits(told, "colab", "T4") is None
    assert starts(told, "kaggle") == Estimate.exactly(5.0)


def test_ledgers_are_read(home: Path) -> None:
    """A session of a real ledger, by the store's clock; one that cannot be read says nothing of the others."""
    store = MemoryStore()
    world.finished(store, "a")
    world.finished(store, "b")
    store.put("runs/b/ledger/00000003.json", b"damaged")
    found = experience.read(world.context(home, store))
    assert [each.run for each in found] == ["a"]
    assert found[0].work == WORK
    assert found[0].wait_s is not None


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ([], None),
        ([4.0], Estimate(likely=4.0, low=2.0, high=8.0)),
        ([4.0, 6.0], Estimate(likely=5.0, low=2.0, high=12.0)),
        ([3.0, 1.0, 2.0], Estimate(likely=2.0, low=1.0, high=3.0)),
        ([float(each) for each in range(20)], Estimate(likely=9.5, low=2.0, high=17.0)),
    ],
)
def test_an_estimate_of_what_was_measured(measured: list[float], expected: Estimate | None) -> None:
    assert estimates.of(measured) == expected


@pytest.mark.parametrize(
    ("text", "hours"), [("48h", 48), ("90m", 1.5), ("2d", 48), ("1970-01-03", 48), ("1970-01-02T20:00+01:00", 43)]
)
def test_moments_are_from_now_on_or_by_the_calendar(text: str, hours: float) -> None:
    assert parse(text, 0.0) == hours * 3600.0
