"""Losses that are no numbers, and whatever else breaks in a session: reported, and nothing committed is harmed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from facegan.errors import SessionExit
from facegan.experiment import Experiment
from facegan.ledger import State
from facegan.stopping import StopCause
from facegan.storage.base import RefusedError
from tests.fakes.driving import (
    RUN,
    Session,
    committed,
    contents,
    judged,
    ledger_of,
)
from tests.fakes.killing import WatchedStore
from tests.fakes.toy import ToyTrainer
from tests.kill.eventful import (
    EventfulToy,
    assert_goes_on_to_the_end,
    eventful,
    kinds_of,
    nothing,
    report,
    short_with,
    state,
)

# Losses that are no numbers


class BrokenToy(ToyTrainer):
    """A toy whose loss is no finite number from step 12 on."""

    value = math.nan

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        first = self.step + 1
        done = super().advance(steps)
        return [{**values, "loss": self.value} if step >= 12 else values for step, values in enumerate(done, first)]


@pytest.mark.parametrize("steps_per_call", [1, 5, 20])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_fails_the_session_and_its_state_is_not_committed(
    value: float, steps_per_call: int
) -> None:
    store = short_with(f"training.steps_per_call={steps_per_call}")

    class Toy(BrokenToy):
        pass

    Toy.value = value
    assert Session(store=store, holder="first", number=1, build=Toy).run() is SessionExit.FAILED
    assert (report(store)["outcome"], report(store)["step"]) == ("failed", 10)
    assert report(store)["why"] == f"loss is {value} at step 12"
    assert state(store) is State.FAILED
    assert_goes_on_to_the_end(store)


def test_an_evaluation_that_is_no_number_fails_the_session() -> None:
    class Toy(ToyTrainer):
        def evaluate(self) -> Mapping[str, float]:
            return {"share": math.nan}

    store = short_with()
    assert Session(store=store, holder="first", number=1, build=Toy).run() is SessionExit.FAILED
    assert report(store)["why"] == "share is nan at step 10"
    assert [entry["step"] for entry in committed(store)] == [5]


# What breaks


def test_whatever_breaks_in_the_training_is_reported() -> None:
    def explode(step: int) -> None:
        if step == 7:
            raise ZeroDivisionError("a bug")

    store = short_with()
    session = eventful(store, explode)
    assert session.run() is SessionExit.FAILED
    assert (report(store)["why"], report(store)["step"]) == ("ZeroDivisionError: a bug", 5)
    assert any("Traceback" in said for said in session.said)
    assert_goes_on_to_the_end(store)


def test_a_trainer_that_cannot_be_built_is_reported() -> None:
    def build(_experiment: Experiment) -> ToyTrainer:
        raise ImportError("no framework")

    store = short_with()
    assert Session(store=store, holder="first", number=1, build=build).run() is SessionExit.FAILED
    assert report(store)["why"] == "ImportError: no framework"
    assert_goes_on_to_the_end(store)


def test_a_storage_that_refuses_a_checkpoint_fails_the_session() -> None:
    class Refusing(WatchedStore):
        def put(self, key: str, data: bytes) -> None:
            if "/checkpoints/10" in key:
                raise RefusedError(f'no right to write "{key}"')
            super().put(key, data)

    store = short_with()
    assert Session(store=Refusing(store), holder="first", number=1).run() is SessionExit.FAILED
    assert "no right to write" in report(store)["why"]
    assert_goes_on_to_the_end(store)


@pytest.mark.parametrize("beat", [1, 3, 12], ids=["the first", "a later one", "the last"])
def test_a_beat_that_is_refused_fails_the_session_and_nothing_is_raised(beat: int) -> None:
    class Refusing(WatchedStore):
        beats = 0

        def put(self, key: str, data: bytes) -> None:
            if key.endswith("heartbeat.json"):
                self.beats += 1
                if self.beats == beat:
                    raise RefusedError(f'no right to write "{key}"')
            super().put(key, data)

    store = short_with("session.heartbeat_s=2")
    session = eventful(Refusing(store), nothing)
    assert session.run() in {SessionExit.FAILED, SessionExit.FINISHED}
    assert ledger_of(store).refresh().open == ()
    if not ledger_of(store).refresh().finished:
        assert "no right to write" in report(store)["why"]
        assert_goes_on_to_the_end(store)


@pytest.mark.parametrize("pulse", [True, False], ids=["heard by a beat", "met at a commit"])
def test_a_ledger_that_is_damaged_under_a_session_ends_it_and_nothing_is_raised(pulse: bool) -> None:
    store = short_with("session.heartbeat_s=2")
    after: list[dict[str, bytes]] = []

    def damage(step: int) -> None:
        if step == 7:
            store.put(f"runs/{RUN}/ledger/00000005.json", b"not an entry")
            after.append(contents(store))

    session = eventful(store, damage, pulse=pulse)
    assert session.run() is SessionExit.FAILED
    assert any("00000005.json" in said for said in session.said)
    assert kinds_of(contents(store)) == kinds_of(after[0])


class NanToy(EventfulToy):
    """Loses its numbers in the seventh step."""

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        done = super().advance(steps)
        return [{**values, "loss": math.nan} for values in done] if self.step == 7 else done


def test_a_signal_in_the_step_of_a_nan_does_not_commit_it() -> None:
    store = short_with()
    sigterm = StopCause(outcome="interrupted", why="received SIGTERM", grace_s=25.0)
    session = eventful(store, lambda step: session.stop.give(sigterm) if step == 7 else None)
    session.build = lambda experiment: NanToy(
        experiment, session.timeline, lambda step: session.stop.give(sigterm) if step == 7 else None
    )
    assert session.run() is SessionExit.FAILED
    assert [entry["step"] for entry in committed(store)] == [5]
    assert not judged(store).wrong
