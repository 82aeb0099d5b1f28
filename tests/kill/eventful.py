"""Sessions of a toy to which something happens after a step, and how what becomes of them is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from facegan.errors import SessionExit
from facegan.experiment import Experiment, override
from facegan.ledger import State
from facegan.storage.base import ObjectStore
from tests.fakes.driving import (
    SHORT,
    Session,
    Timeline,
    ask,
    assert_untouched,
    begun,
    ledger_of,
    raw_entries,
    resume,
)
from tests.fakes.toy import ToyTrainer

At = Callable[[int], None]


class EventfulToy(ToyTrainer):
    """A toy with a timeline, a second a step, to which something happens after a step."""

    def __init__(self, experiment: Experiment, timeline: Timeline, after: At) -> None:
        super().__init__(experiment)
        self._timeline = timeline
        self._after = after

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        done = super().advance(steps)
        self._timeline.sleep(1.0 * steps)
        self._after(self.step)
        return done


def eventful(store: ObjectStore, after: At, *, number: int | None = 1, pulse: bool = True) -> Session:
    timeline = Timeline()
    session = Session(store=store, holder="first", number=number, timeline=timeline)
    if pulse:
        session.repeat = timeline.repeat
    session.build = lambda experiment: EventfulToy(experiment, timeline, after)
    return session


def short_with(*settings: str) -> ObjectStore:
    return begun("memory", Path(), override(SHORT, settings))


def report(store: ObjectStore) -> dict[str, Any]:
    last = raw_entries(store)[-1]
    assert last["kind"] == "report"
    return last


def state(store: ObjectStore) -> State:
    return ledger_of(store).refresh().state


def assert_goes_on_to_the_end(store: ObjectStore) -> None:
    """Any later session ends the run as if nothing had happened."""
    ask(store, resume=True)
    assert resume(store, "later") is SessionExit.FINISHED
    assert_untouched(store)


def nothing(_step: int) -> None:
    """What happens after the steps of a session that is left alone."""


def kinds_of(objects: Mapping[str, bytes]) -> list[str]:
    return [key for key in objects if "/ledger/" in key]
