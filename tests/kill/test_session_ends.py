"""Why a session ends, what it says of it, and the code it ends with (design, section 5)."""

from __future__ import annotations

import pytest

from facegan.errors import SessionExit, UnreachableError
from facegan.ledger import State
from facegan.stopping import StopCause
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    RUN,
    Session,
    Timeline,
    append,
    ask,
    assert_untouched,
    committed,
    contents,
    kinds,
    ledger_of,
    outcome,
    raw_entries,
    take_over,
    untouched,
)
from tests.fakes.killing import Killed, Operation, SilentStore, WatchedStore
from tests.fakes.toy import ToyTrainer
from tests.kill.eventful import (
    EventfulToy,
    assert_goes_on_to_the_end,
    eventful,
    nothing,
    report,
    short_with,
    state,
)

# The last step


def test_after_the_last_step_the_run_is_finished() -> None:
    store = short_with()
    assert Session(store=store, holder="first", number=1).run() is SessionExit.FINISHED
    assert report(store)["outcome"] == "finished"
    assert state(store) is State.FINISHED


def test_a_session_of_a_finished_run_finds_nothing_to_do() -> None:
    store = short_with()
    Session(store=store, holder="first", number=1).run()
    before = contents(store)
    assert take_over(store, "second") is SessionExit.FINISHED
    assert contents(store) == before


def test_a_finished_run_that_is_extended_is_trained_on_to_what_a_longer_run_would_be() -> None:
    store = short_with("training.steps=10")
    Session(store=store, holder="first", number=1).run()
    append(ledger_of(store), "extended", steps=20)
    ask(store)
    assert Session(store=store, holder="second", number=2).run() is SessionExit.FINISHED
    assert outcome(store) == untouched()


# The budget


def test_when_the_budget_is_used_the_state_is_committed_in_time() -> None:
    store = short_with("session.budget_s=10")
    assert eventful(store, nothing).run() is SessionExit.INTERRUPTED
    # Kept: one second, and twice the slowest step so far.
    assert (report(store)["step"], report(store)["outcome"]) == (7, "interrupted")
    assert report(store)["why"] == "the session's 10 s are used"
    assert_goes_on_in_pieces(store)


@pytest.mark.parametrize(("users", "machines"), [("null", 10.0), ("10", 500.0), ("500", 10.0)])
def test_the_limit_that_ends_first_counts(users: str, machines: float) -> None:
    store = short_with(*([] if users == "null" else [f"session.budget_s={users}"]))
    session = eventful(store, nothing)
    session.budget_s = machines
    assert session.run() is SessionExit.INTERRUPTED
    assert (report(store)["step"], report(store)["why"]) == (7, "the session's 10 s are used")
    assert_goes_on_in_pieces(store)


def assert_goes_on_in_pieces(store: ObjectStore) -> None:
    for number in range(5):
        code = eventful(store, nothing, number=None).run()
        if code is SessionExit.FINISHED:
            break
        assert (code, number < 4) == (SessionExit.INTERRUPTED, True)
    assert_untouched(store)


def test_the_margin_is_learnt_from_the_uploads() -> None:
    store = short_with("session.budget_s=18", "checkpoint.every_steps=2")
    timeline = Timeline()

    class SlowStore(WatchedStore):
        def put(self, key: str, data: bytes) -> None:
            timeline.sleep(2.0 if key.endswith("state.safetensors") else 0.0)
            super().put(key, data)

    session = Session(store=SlowStore(store), holder="first", number=1, timeline=timeline)
    session.build = lambda experiment: EventfulToy(experiment, timeline, nothing)
    assert session.run() is SessionExit.INTERRUPTED
    assert timeline.now <= 18
    assert raw_entries(store)[-1]["step"] == committed(store)[-1]["step"]


def test_a_budget_used_before_the_first_step_ends_the_session_politely() -> None:
    store = short_with("session.budget_s=0.5")
    assert eventful(store, nothing).run() is SessionExit.INTERRUPTED
    assert (report(store)["step"], committed(store)) == (0, [])


# Signals


def test_a_signal_ends_the_session_with_what_it_has() -> None:
    store = short_with()
    session = eventful(store, lambda step: session.stop.give(signalled()) if step == 7 else None)
    assert session.run() is SessionExit.INTERRUPTED
    assert (report(store)["step"], report(store)["why"]) == (7, "received SIGTERM")
    assert state(store) is State.INTERRUPTED
    assert_goes_on_to_the_end(store)


def signalled() -> StopCause:
    return StopCause(outcome="interrupted", why="received SIGTERM", grace_s=25.0)


def test_a_signal_right_after_a_checkpoint_makes_no_second_one() -> None:
    store = short_with()
    session = eventful(store, lambda step: session.stop.give(signalled()) if step == 11 else None)
    session.run()
    assert [entry["step"] for entry in committed(store)] == [5, 10, 11]
    second = eventful(store, nothing, number=None)
    second.stop.give(signalled())
    second.run()
    assert [entry["step"] for entry in committed(store)] == [5, 10, 11]


def test_a_signal_at_the_last_step_finishes_the_run() -> None:
    store = short_with()
    session = eventful(store, lambda step: session.stop.give(signalled()) if step == 20 else None)
    assert session.run() is SessionExit.FINISHED
    assert_untouched(store)


def test_a_signal_while_the_storage_is_silent_is_obeyed_within_its_grace() -> None:
    store = short_with()
    silent: list[bool] = []

    def happen(step: int) -> None:
        if step == 7:
            silent.append(True)
            session.stop.give(signalled())

    session = eventful(SilentStore(store, lambda _it: bool(silent)), happen, pulse=False)
    before = kinds(store)
    assert session.run() is SessionExit.INTERRUPTED
    assert session.timeline.now <= 7 + 25
    assert kinds(store) == [*before, "lease", "restored", "checkpoint"]
    assert_goes_on_to_the_end(store)


@pytest.mark.parametrize("at", [7, 20], ids=["on the way", "the last step"])
def test_what_could_not_be_committed_in_time_is_not_reported_as_if_it_had_been(at: int) -> None:
    store = short_with()

    def is_down(it: Operation) -> bool:
        return f"/checkpoints/{at}-1/" in it.key

    session = eventful(SilentStore(store, is_down), lambda step: session.stop.give(signalled()) if step == at else None)
    assert session.run() is SessionExit.INTERRUPTED
    assert "report" not in kinds(store)
    assert any(f"step {at} could not be committed" in said for said in session.said)
    assert_goes_on_to_the_end(store)


# Steps that do not end


@pytest.mark.parametrize("silent", [False, True], ids=["storage answers", "storage is silent"])
def test_a_step_that_never_ends_is_abandoned(silent: bool) -> None:
    store = short_with("session.stall_s=60")
    down: list[bool] = []
    abandoned: list[tuple[SessionExit, float]] = []

    def hang(step: int) -> None:
        if step == 7:
            down.append(silent)
            session.timeline.sleep(10_000.0)

    session = eventful(SilentStore(store, lambda _it: any(down)), hang)

    class Abandoning(list[SessionExit]):
        def append(self, code: SessionExit) -> None:
            abandoned.append((code, session.timeline.now))
            raise Killed

    session.abandoned = Abandoning()
    with pytest.raises(Killed):
        session.run()
    code, when = abandoned[0]
    assert code is (SessionExit.INTERRUPTED if silent else SessionExit.FAILED)
    assert 60 < when - 6 <= 60 + 2 * 5
    if not silent:
        assert report(store)["why"] == "no step was done for 60 s after step 6"
        assert report(store)["step"] == 5
    assert_goes_on_to_the_end(store)


def test_slow_steps_are_no_stall() -> None:
    store = short_with("session.stall_s=60")
    session = eventful(store, lambda _step: session.timeline.sleep(50.0))
    assert session.run() is SessionExit.FINISHED


# What is not there


def test_a_run_that_does_not_exist_is_bad_input_and_nothing_is_written() -> None:
    store = MemoryStore()
    session = Session(store=store, holder="first")
    assert session.run() is SessionExit.BAD_INPUT
    assert session.said[0] == f'error: there is no run "{RUN}" in memory://'
    assert store.objects == {}


def test_every_error_code_is_the_design_s() -> None:
    assert {code.name: int(code) for code in SessionExit} == {
        "FINISHED": 0,
        "FAILED": 1,
        "BAD_INPUT": 2,
        "NOT_HOLDER": 73,
        "INTERRUPTED": 75,
    }
    assert UnreachableError("").exit_code is SessionExit.INTERRUPTED


def test_machines_of_another_class_are_labelled_where_they_join() -> None:
    store = short_with("session.budget_s=10")
    eventful(store, nothing).run()
    Session(store=store, holder="second", build=lambda e: ToyTrainer(e, determinism={"device": "other"})).run()
    Session(store=store, holder="third").run()
    joins = [entry["join"] for entry in raw_entries(store) if entry["kind"] == "restored"]
    assert joins == ["exact", "statistical"]
