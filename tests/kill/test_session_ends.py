"""Why a session ends, what it says of it, and the code it ends with (design, section 5)."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from facegan import session as wire
from facegan.errors import SessionExit, UnreachableError
from facegan.experiment import Experiment, override
from facegan.ledger import State
from facegan.stopping import StopCause
from facegan.storage.base import ObjectStore, RefusedError
from facegan.storage.memory import MemoryStore
from facegan.storage.retry import PatientStore
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    Timeline,
    append,
    ask,
    assert_untouched,
    begun,
    committed,
    contents,
    judged,
    kinds,
    ledger_of,
    outcome,
    raw_entries,
    resume,
    take_over,
    untouched,
)
from tests.fakes.killing import Death, Killed, MortalStore, Operation, SilentStore, WatchedStore
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


def nothing(_step: int) -> None:
    return None


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


# The user's word


@pytest.mark.parametrize(("word", "then"), [("stop", State.STOPPED), ("cancel", State.CANCELLED)])
def test_the_user_s_word_is_heard_by_the_next_beat(word: str, then: State) -> None:
    store = short_with("session.heartbeat_s=2")
    session = eventful(store, lambda step: append(ledger_of(store), word) and None if step == 7 else None)
    assert session.run() is SessionExit.INTERRUPTED
    assert report(store)["step"] == 8
    assert str(report(store)["why"]).endswith("by the user")
    assert state(store) is then
    assert judged(store).wrong == []


def test_a_stop_holds_until_the_user_resumes() -> None:
    store = short_with("session.heartbeat_s=2")
    eventful(store, lambda step: append(ledger_of(store), "stop") and None if step == 7 else None).run()
    before = kinds(store)
    assert take_over(store, "second") is SessionExit.INTERRUPTED
    assert kinds(store) == before
    assert_goes_on_to_the_end(store)


def test_a_cancelled_run_is_never_taken_up_again() -> None:
    store = short_with("session.heartbeat_s=2")
    eventful(store, lambda step: append(ledger_of(store), "cancel") and None if step == 7 else None).run()
    before = contents(store)
    assert take_over(store, "second") is SessionExit.INTERRUPTED
    assert contents(store) == before


@pytest.mark.parametrize("word", ["stop", "cancel"])
def test_a_session_asked_for_before_the_user_s_word_ends_its_number_and_does_nothing(word: str) -> None:
    store = short_with()
    append(ledger_of(store), word)
    assert Session(store=store, holder="first", number=1).run() is SessionExit.INTERRUPTED
    assert kinds(store) == ["created", "intent", word, "report"]
    assert not ledger_of(store).refresh().open


# The lease


def lose_lease(store: ObjectStore) -> dict[str, bytes]:
    """Another session takes over; the store as it is then."""
    append(ledger_of(store), "lost", session=1, why="its machine is gone")
    number = ask(store)
    append(ledger_of(store, "other"), "lease", session=number, machine={})
    return contents(store)


@pytest.mark.parametrize("pulse", [True, False], ids=["heard by a beat", "met at a commit"])
def test_a_session_that_lost_its_lease_writes_nothing_that_counts(pulse: bool) -> None:
    store = short_with("session.heartbeat_s=1")
    then: list[dict[str, bytes]] = []
    session = eventful(store, lambda step: then.append(lose_lease(store)) if step == 7 else None, pulse=pulse)
    assert session.run() is SessionExit.NOT_HOLDER
    new = {key: data for key, data in contents(store).items() if then[0].get(key) != data}
    assert [key for key in new if "/checkpoints/10-1/" not in key] == []
    assert bool(new) is not pulse  # only what was on its way when it met the other's lease: garbage, which none names
    assert judged(store).wrong == []


def test_a_session_declared_lost_stops_although_nobody_took_over() -> None:
    store = short_with("session.heartbeat_s=1")
    session = eventful(
        store, lambda step: append(ledger_of(store), "lost", session=1, why="gone") and None if step == 7 else None
    )
    assert session.run() is SessionExit.NOT_HOLDER
    assert kinds(store)[-1] == "lost"
    assert_goes_on_to_the_end(store)


def test_a_frozen_session_that_thaws_after_its_run_was_finished_changes_nothing() -> None:
    store = short_with()
    then: list[dict[str, bytes]] = []

    def freeze(step: int) -> None:
        if step == 7:
            assert take_over(store, "second") is SessionExit.FINISHED
            then.append(contents(store))

    session = eventful(store, freeze, pulse=False)
    assert session.run() is SessionExit.NOT_HOLDER
    changed = {key for key, data in contents(store).items() if then[0].get(key) != data}
    assert all("/checkpoints/10-1/" in key for key in changed)
    assert_untouched(store)


def test_a_number_that_was_leased_before_is_never_leased_again() -> None:
    store = short_with()
    with pytest.raises(Killed):
        Session(store=MortalStore(store, 30, Death.AFTER), holder="first", number=1).run()
    assert Session(store=store, holder="second", number=1).run() is SessionExit.FINISHED
    assert [entry["session"] for entry in raw_entries(store) if entry["kind"] == "lease"] == [1, 2]
    assert_untouched(store)


@pytest.mark.parametrize("own", [True, False], ids=["asked for", "by hand"])
def test_a_live_holder_keeps_a_newcomer_out(own: bool) -> None:
    store = short_with()
    with pytest.raises(Killed):
        Session(store=MortalStore(store, 30, Death.AFTER), holder="first", number=1).run()
    number = ask(store) if own else None
    before = contents(store)
    beats = iter(range(100, 200))

    def beat(_seconds: float) -> None:
        wire.write(store, RUN, 1, wire.Heartbeat(counter=next(beats), seq=2, digest="", phase="training"))

    newcomer = Session(store=store, holder="second", number=number, sleep=beat)
    assert newcomer.run() is SessionExit.NOT_HOLDER
    new = [key for key in contents(store) if key not in before]
    assert kinds(store)[len(kinds_of(before)) :] == (["report"] if own else [])
    assert len(new) == int(own)


def kinds_of(objects: Mapping[str, bytes]) -> list[str]:
    return [key for key in objects if "/ledger/" in key]


def test_of_two_processes_started_for_one_number_one_trains_and_the_other_steps_aside() -> None:
    store = short_with("session.heartbeat_s=2")
    timeline = Timeline()
    codes: list[SessionExit] = []

    def start_twice(step: int) -> None:
        if step == 3:
            codes.append(Session(store=store, holder="twin", number=1, timeline=timeline).run())

    first = Session(store=store, holder="first", number=1, timeline=timeline, repeat=timeline.repeat)
    first.build = lambda experiment: EventfulToy(experiment, timeline, start_twice)
    assert first.run() is SessionExit.FINISHED
    assert codes == [SessionExit.NOT_HOLDER]
    assert_untouched(store)


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


# Storage that does not answer


class Beside:
    """A committer of its own, in a thread, whose waits and pauses are a timeline's."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline

    def spawn(self, work: Callable[[], None]) -> Callable[[float | None], bool]:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()

        def wait(seconds: float | None) -> bool:
            until = math.inf if seconds is None else self.timeline.now + seconds
            while thread.is_alive() and self.timeline.now < until:
                thread.join(0.0005)
            return not thread.is_alive()

        return wait

    def sleep(self, seconds: float) -> None:
        self.timeline.sleep(seconds)
        time.sleep(0.0002)


@functools.cache
def asked() -> tuple[Operation, ...]:
    """All that a session of the short run asks of its store."""
    store = WatchedStore(short_with())
    Session(store=store, holder="first", number=1).run()
    return tuple(store.operations)


def short_operations() -> int:
    return len(asked())


def through_silence(store: ObjectStore, is_down: Callable[[Operation], bool], *, acts: bool) -> SessionExit:
    timeline = Timeline()
    beside = Beside(timeline)
    silent = SilentStore(store, is_down, acts=acts)
    session = Session(store=silent, holder="first", number=1, timeline=timeline, spawn=beside.spawn)
    session.sleep = beside.sleep
    return session.run()


@pytest.mark.parametrize("acts", [False, True], ids=["nothing arrives", "everything arrives"])
def test_a_storage_that_falls_silent_for_good_at_any_operation_leaves_a_run_to_be_resumed(acts: bool) -> None:
    for since in range(short_operations()):
        store = short_with()
        code = through_silence(store, lambda it, since=since: it.number >= since, acts=acts)
        assert code is SessionExit.INTERRUPTED, since
        assert "report" not in kinds(store) or acts
        assert_goes_on_to_the_end_if_not_finished(store)


def assert_goes_on_to_the_end_if_not_finished(store: ObjectStore) -> None:
    assert resume(store, "later") is SessionExit.FINISHED
    assert_untouched(store)


def test_a_storage_that_never_answers_is_told_and_nothing_is_written() -> None:
    store = short_with()
    before = contents(store)
    session = Session(store=SilentStore(store, lambda _it: True), holder="first", number=1)
    assert session.run() is SessionExit.INTERRUPTED
    assert contents(store) == before
    assert session.said[0].startswith("error: no answer to")


def test_nothing_at_all_is_written_after_the_storage_fell_silent() -> None:
    for since in range(short_operations()):
        store = short_with()
        then: list[dict[str, bytes]] = []

        def is_down(
            it: Operation,
            since: int = since,
            store: ObjectStore = store,
            then: list[dict[str, bytes]] = then,
        ) -> bool:
            if it.number >= since and not then:
                then.append(contents(store))
            return it.number >= since

        through_silence(store, is_down, acts=False)
        assert contents(store) == then[0]


def test_training_goes_on_while_the_storage_is_silent_and_is_committed_when_it_answers() -> None:
    store = short_with()
    timeline = Timeline()
    beside = Beside(timeline)

    def is_down(it: Operation) -> bool:
        return "/checkpoints/5-1/" in it.key and timeline.now < 40

    session = Session(store=SilentStore(store, is_down), holder="first", number=1, timeline=timeline)
    session.spawn, session.sleep = beside.spawn, beside.sleep
    assert session.run() is SessionExit.FINISHED
    assert any("waits for the storage" in said for said in session.said)
    assert_untouched(store)


@pytest.mark.parametrize("acts", [False, True], ids=["it was lost", "its answer was lost"])
def test_one_unanswered_operation_is_never_noticed_by_who_asks_again(acts: bool) -> None:
    for at in range(short_operations()):
        store = short_with()
        silent = SilentStore(store, lambda it, at=at: it.number == at, acts=acts)
        patient = PatientStore(silent, lambda _seconds: None)
        assert Session(store=patient, holder="first", number=1).run() is SessionExit.FINISHED
        assert_untouched(store)
        assert kinds(store).count("report") == 1
        assert kinds(store).count("lease") == 1


@pytest.mark.parametrize("acts", [False, True], ids=["it was lost", "its answer was lost"])
def test_one_unanswered_operation_never_harms_who_does_not_ask_again(acts: bool) -> None:
    for at in range(short_operations()):
        store = short_with()
        silent = SilentStore(store, lambda it, at=at: it.number == at, acts=acts)
        code = Session(store=silent, holder="first", number=1).run()
        assert code in {SessionExit.FINISHED, SessionExit.INTERRUPTED}
        assert_goes_on_to_the_end_if_not_finished(store)


def test_what_a_lost_answer_had_named_is_not_written_again() -> None:
    """The entry arrives, its answer does not, and a heartbeat reads it before the committer asks again."""
    store = short_with("session.heartbeat_s=1")
    unanswered: list[int] = []

    def is_down(it: Operation) -> bool:
        if it.verb != "put_new" or "/checkpoints/10-1/" not in silent.operations[it.number - 2].key:
            return False
        unanswered.append(it.number)
        return len(unanswered) == 1

    silent = SilentStore(store, is_down, acts=True)
    session = eventful(silent, nothing)
    assert session.run() is SessionExit.FINISHED
    assert unanswered
    assert_untouched(store)


def test_a_frozen_session_does_not_write_again_what_is_named_and_another_s_by_now() -> None:
    store = short_with("session.heartbeat_s=1")

    def is_down(it: Operation) -> bool:
        return it.verb == "put_new" and "/checkpoints/10-1/" in silent.operations[it.number - 2].key

    silent = SilentStore(store, is_down, acts=True)
    session = eventful(silent, nothing)
    asleep: list[float] = []

    def sleep(seconds: float) -> None:
        asleep.append(seconds)
        if len(asleep) == 1:
            assert take_over(store, "second") is SessionExit.FINISHED
        session.timeline.sleep(seconds)

    session.sleep = sleep
    assert session.run() is SessionExit.NOT_HOLDER
    assert_untouched(store)


def test_an_unreachable_checkpoint_is_never_taken_for_a_damaged_one() -> None:
    store = short_with()
    last = next(it.number for it in asked() if "/checkpoints/20-1/" in it.key)
    with pytest.raises(Killed):
        Session(store=MortalStore(store, last, Death.BEFORE), holder="first", number=1).run()
    newest = committed(store)[-1]
    for name in newest["objects"]:
        copy = MemoryStore()
        copy.objects.update(contents(store))
        key = newest["key"] + name
        assert resume(copy, "second", through=SilentStore(copy, lambda it, key=key: it.key == key)) is (
            SessionExit.INTERRUPTED
        )
        assert kinds(copy)[-1] == "lease"  # and nothing after it
        assert_goes_on_to_the_end(copy)


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


def test_what_a_failed_checkpoint_was_given_goes_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in flight never gets through before the time is up; the final one does, with the metrics of both."""
    store = short_with()
    put = store.put

    def deaf_to_the_first(key: str, data: bytes) -> None:
        if "/checkpoints/5-" in key:
            raise UnreachableError("no answer")
        put(key, data)

    def later(work: Callable[[], None]) -> Callable[[float | None], bool]:
        waiting = [work]

        def wait(_seconds: float | None) -> bool:
            if waiting:
                waiting.pop()()
            return True

        return wait

    monkeypatch.setattr(store, "put", deaf_to_the_first)
    sigterm = StopCause(outcome="interrupted", why="received SIGTERM", grace_s=25.0)
    session = eventful(store, lambda step: session.stop.give(sigterm) if step == 7 else None, pulse=False)
    session.spawn = later
    assert session.run() is SessionExit.INTERRUPTED
    assert [entry["step"] for entry in committed(store)] == [7]
    assert not judged(store).wrong
    monkeypatch.undo()
    assert resume(store, "second") is SessionExit.FINISHED
    assert_untouched(store)
