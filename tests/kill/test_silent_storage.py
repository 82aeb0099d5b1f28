"""Storage that does not answer: for a moment, for good, at any operation."""

from __future__ import annotations

import functools
import math
import threading
import time
from collections.abc import Callable

import pytest

from facegan.errors import SessionExit, UnreachableError
from facegan.stopping import StopCause
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.storage.retry import PatientStore
from tests.fakes.driving import (
    Session,
    Timeline,
    assert_untouched,
    committed,
    contents,
    judged,
    kinds,
    resume,
    take_over,
)
from tests.fakes.killing import Death, Killed, MortalStore, Operation, SilentStore, WatchedStore
from tests.kill.eventful import (
    assert_goes_on_to_the_end,
    eventful,
    nothing,
    short_with,
)


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
