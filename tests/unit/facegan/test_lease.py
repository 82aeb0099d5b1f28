"""Taking the lease: who is watched, for how long, and who steps aside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facegan import lease
from facegan import session as wire
from facegan.errors import DamagedError, NotHolderError, SessionExit
from facegan.lease import AlreadyFinishedError, Claim, NotWantedError
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import RUN, append, ask, create, kinds, ledger_of, raw_entries
from tests.fakes.killing import WatchedStore


class Taker:
    """A process that wants the lease, in a world where something happens while it sleeps."""

    def __init__(self, store: ObjectStore, holder: str, happens: Callable[[int], None] = lambda _look: None) -> None:
        self.store = store
        self.holder = holder
        self.happens = happens
        self.slept: list[float] = []
        self.said: list[str] = []

    def take(self, number: int | None = None, lease_s: float = 60.0) -> int:
        claim = Claim(number=number, machine={"pid": 1}, lease_s=lease_s, sleep=self.sleep, say=self.said.append)
        return lease.take(ledger_of(self.store, self.holder), claim)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.happens(len(self.slept))


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    create(store)
    return store


def held(store: MemoryStore, holder: str = "first") -> None:
    number = ask(store)
    append(ledger_of(store, holder), "lease", session=number, machine={})


def beat(store: MemoryStore, counter: int, number: int = 1) -> None:
    wire.write(store, RUN, number, wire.Heartbeat(counter=counter, seq=-1, digest="", phase="training"))


def test_nobody_in_the_way_nobody_waits(store: MemoryStore) -> None:
    ask(store)
    taker = Taker(store, "me")
    assert taker.take(1) == 1
    assert taker.slept == []
    assert raw_entries(store)[-1]["machine"] == {"pid": 1}


def test_a_process_that_was_not_asked_for_asks_for_itself(store: MemoryStore) -> None:
    taker = Taker(store, "me")
    assert taker.take() == 1
    assert kinds(store) == ["created", "intent", "lease"]
    assert taker.slept == []


def test_a_silent_holder_is_watched_for_the_lease_time_and_taken_over_from(store: MemoryStore) -> None:
    held(store)
    beat(store, 5)
    taker = Taker(store, "me")
    assert taker.take(lease_s=90.0) == 2
    assert sum(taker.slept) == pytest.approx(90.0)
    assert len(taker.slept) > 5
    assert raw_entries(store)[-1]["over"] == 1


@pytest.mark.parametrize("look", [1, 6, 12])
def test_a_holder_whose_heart_beats_is_left_alone(store: MemoryStore, look: int) -> None:
    held(store)
    beat(store, 5)
    before = dict(store.objects)
    taker = Taker(store, "me", lambda now: beat(store, 6) if now == look else None)
    with pytest.raises(NotHolderError, match="session 1 holds the run, and is alive"):
        taker.take()
    assert len(taker.slept) == look
    assert {key for key in store.objects if store.objects[key] != before.get(key)} == {
        f"runs/{RUN}/sessions/1/heartbeat.json"
    }


def test_a_heart_that_begins_to_beat_is_a_sign_of_life(store: MemoryStore) -> None:
    held(store)
    with pytest.raises(NotHolderError):
        Taker(store, "me", lambda now: beat(store, 1) if now == 3 else None).take()


def test_a_holder_that_appends_is_alive_whatever_its_heart_does(store: MemoryStore) -> None:
    held(store)

    def restore(look: int) -> None:
        if look == 4:
            body = {"session": 1, "checkpoint": None, "step": 0, "damaged": [], "determinism": {}, "join": "exact"}
            append(ledger_of(store, "first"), "restored", **body)

    with pytest.raises(NotHolderError):
        Taker(store, "me", restore).take()


def test_entries_of_others_are_no_sign_of_life_of_the_holder(store: MemoryStore) -> None:
    held(store)
    taker = Taker(store, "me", lambda look: append(ledger_of(store), "extended", steps=20 + look) and None)
    assert taker.take() == 2


@pytest.mark.parametrize("how", ["report", "lost"])
def test_once_the_holder_has_ended_nobody_waits_any_longer(store: MemoryStore, how: str) -> None:
    held(store)

    def end(look: int) -> None:
        if look == 2:
            by, body = ("first", {"outcome": "interrupted", "step": 0}) if how == "report" else ("user", {})
            append(ledger_of(store, by), how, session=1, why="", **body)

    taker = Taker(store, "me", end)
    assert taker.take() == 2
    assert len(taker.slept) == 2


def test_a_process_with_a_number_steps_aside_for_a_live_holder_and_says_so(store: MemoryStore) -> None:
    held(store)
    number = ask(store)
    with pytest.raises(NotHolderError):
        Taker(store, "me", lambda look: beat(store, look)).take(number)
    assert raw_entries(store)[-1]["kind"] == "report"
    assert raw_entries(store)[-1]["why"] == "session 1 held the run"
    assert [session.number for session in ledger_of(store).refresh().open] == [1]


@pytest.mark.parametrize("end", ["leased", "lost", "refused", "never asked for"])
def test_a_process_whose_number_is_spent_takes_the_next(store: MemoryStore, end: str) -> None:
    if end == "leased":
        held(store)
    elif end != "never asked for":
        ask(store)
        append(ledger_of(store), end, session=1, why="")
    taker = Taker(store, "me")
    assert taker.take(1) == (1 if end == "never asked for" else 2)
    assert bool(taker.slept) is (end == "leased")


def test_one_that_was_asked_for_and_may_still_come_is_waited_for_by_who_was_not(store: MemoryStore) -> None:
    ask(store)
    taker = Taker(store, "me")
    assert taker.take() == 2
    assert sum(taker.slept) == pytest.approx(60.0)


def test_one_that_was_asked_for_and_comes_is_left_to_it(store: MemoryStore) -> None:
    ask(store)

    def come(look: int) -> None:
        if look == 3:
            append(ledger_of(store, "asked"), "lease", session=1, machine={})

    with pytest.raises(NotHolderError):
        Taker(store, "me", come).take()
    assert kinds(store) == ["created", "intent", "lease"]


def test_any_number_of_dead_that_only_asked_keep_nobody_out(store: MemoryStore) -> None:
    held(store)
    for _ in range(3):
        ask(store)  # processes that died between their intent and their lease
    taker = Taker(store, "me")
    assert taker.take() == 5
    assert sum(taker.slept) == pytest.approx(60.0)


def test_any_number_of_dead_that_only_asked_keep_nobody_out_without_a_holder_either(store: MemoryStore) -> None:
    for _ in range(3):
        ask(store)
    assert Taker(store, "me").take() == 4


def test_another_that_waited_and_takes_the_lease_meanwhile_is_watched_in_its_turn(store: MemoryStore) -> None:
    ask(store)
    ask(store)

    def come(look: int) -> None:
        if look == 3:
            append(ledger_of(store, "older"), "lease", session=1, machine={})
        if look > 12:
            beat(store, look)

    taker = Taker(store, "me", come)
    with pytest.raises(NotHolderError, match="session 1 holds the run"):
        taker.take()
    assert kinds(store) == ["created", "intent", "intent", "lease"]


def test_one_that_asks_while_the_holder_is_watched_is_watched_before_it_is_passed_over(store: MemoryStore) -> None:
    held(store)
    taker = Taker(store, "me", lambda look: ask(store) and None if look == 5 else None)
    assert taker.take() == 3
    assert sum(taker.slept) == pytest.approx(120.0)


def test_a_holder_that_wakes_up_between_the_watch_and_the_lease_is_watched_again(store: MemoryStore) -> None:
    held(store)

    class WakingUp(WatchedStore):
        """The holder appends right after the newcomer's intent."""

        woken = False

        def put_new(self, key: str, data: bytes) -> bool:
            created = super().put_new(key, data)
            if not self.woken:
                self.woken = True
                body = {"session": 1, "checkpoint": None, "step": 0, "damaged": [], "determinism": {}, "join": "exact"}
                append(ledger_of(self.store, "first"), "restored", **body)
            return created

    taker = Taker(WakingUp(store), "me", lambda look: beat(store, look) if look > 12 else None)
    with pytest.raises(NotHolderError):
        taker.take()
    assert kinds(store) == ["created", "intent", "lease", "intent", "restored", "report"]


def test_the_user_s_word_ends_the_wish(store: MemoryStore) -> None:
    for word in ("stop", "cancel"):
        append(ledger_of(store), word)
        with pytest.raises(NotWantedError) as refused:
            Taker(store, "me").take()
        assert refused.value.exit_code is SessionExit.INTERRUPTED


def test_a_stop_that_comes_while_the_holder_is_watched_is_heard(store: MemoryStore) -> None:
    held(store)
    taker = Taker(store, "me", lambda look: append(ledger_of(store), "stop") and None if look == 5 else None)
    with pytest.raises(NotWantedError):
        taker.take()
    assert kinds(store) == ["created", "intent", "lease", "stop"]


def test_a_finished_run_is_left_as_it_is_and_that_is_a_success() -> None:
    assert AlreadyFinishedError("x").exit_code is SessionExit.FINISHED


def test_a_ledger_that_has_lost_what_its_holder_saw_is_not_extended(store: MemoryStore) -> None:
    held(store)
    ledger = ledger_of(store)
    ledger.refresh()
    seq, digest = ledger.head
    wire.write(store, RUN, 1, wire.Heartbeat(counter=1, seq=seq + 1, digest=digest, phase="training"))
    with pytest.raises(DamagedError, match=r"00000003\.json"):
        Taker(store, "me").take()
    wire.write(store, RUN, 1, wire.Heartbeat(counter=1, seq=seq, digest="0" * 64, phase="training"))
    with pytest.raises(DamagedError, match=r"00000002\.json"):
        Taker(store, "me").take()
    wire.write(store, RUN, 1, wire.Heartbeat(counter=1, seq=seq, digest=digest, phase="training"))
    assert Taker(store, "me").take() == 2
