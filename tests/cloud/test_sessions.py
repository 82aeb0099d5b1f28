"""Whole sessions on real servers: killed anywhere, and through a line on which everything goes wrong."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.storage.retry import PatientStore
from tests.cloud.conftest import Cloud, Line, below, hurried
from tests.cloud.proxy import Asked, Fault
from tests.fakes.driving import (
    RUN,
    Session,
    ask,
    assert_untouched,
    begun,
    contents,
    create,
    resume,
    take_over,
)
from tests.fakes.killing import Death, Killed, MortalStore, WatchedStore

SEED = int(os.environ.get("FACEGAN_TEST_SEED", "0"))
PASSING = [
    fault for fault in Fault if fault not in {Fault.FORBIDDEN, Fault.GARBAGE, Fault.SILENCE, Fault.UNCONDITIONAL}
]
REACHED: Counter[tuple[str, Fault]] = Counter()


@functools.cache
def operations() -> int:
    store = WatchedStore(begun("memory", Path()))
    Session(store=store, holder="first", number=1).run()
    return len(store.operations)


def assert_ended_untouched(store: ObjectStore) -> None:
    """Read every object once, and judge them here: it is the writing that is under test."""
    copy = MemoryStore()
    copy.objects.update(contents(store))
    assert_untouched(copy)


def begin(store: ObjectStore) -> ObjectStore:
    create(store)
    ask(store)
    return store


def kill(store: ObjectStore, at: int, death: Death) -> None:
    with pytest.raises(Killed):
        Session(store=MortalStore(store, at, death), holder="first", number=1).run()


def test_killed_at_any_operation_a_run_ends_like_an_untouched_one(line: Line) -> None:
    """Before each, and after the last: after one is before the next."""

    def one(at: int) -> None:
        store = begin(below(line.store, f"killed/{at}/"))
        if at < operations():
            kill(store, at, Death.BEFORE)
        else:
            kill(store, at - 1, Death.AFTER)
        resume(store, "second")
        assert_ended_untouched(store)

    at_once(one, range(operations() + 1))


@pytest.mark.long
@pytest.mark.timeout(3_000)
def test_whoever_watched_it_die_takes_over(line: Line) -> None:
    def one(at: int) -> None:
        store = begin(below(line.store, f"watched/{at}/"))
        kill(store, at, Death.AFTER)
        take_over(store, "second")
        assert_ended_untouched(store)

    at_once(one, range(operations()))


def at_once(work: Callable[[int], None], numbers: Iterable[int]) -> None:
    """Two runs at a time: while one waits for the server, the other works."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(work, numbers))


class Weather:
    """What befalls a request, by a seeded die; never more in a row than an asker's patience.

    Every verb goes through the faults in turn, so that a few histories reach every pair of them.
    """

    def __init__(self, dice: random.Random, turn: int, faults: Mapping[str, Sequence[Fault]]) -> None:
        self._dice = dice
        self._rate = dice.choice([0.1, 0.3, 0.5])
        self._faults = faults
        self._turns = dict.fromkeys(faults, turn)
        self._row = 0

    def __call__(self, asked: Asked) -> Fault | None:
        self._row += 1
        if self._row > 3 or self._dice.random() > (0.8 if asked.verb == "delete" else self._rate):
            self._row = 0
            return None
        self._turns[asked.verb] += 1
        faults = self._faults[asked.verb]
        return faults[self._turns[asked.verb] % len(faults)]


WRITES = [
    Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.INTERNAL, Fault.BUSY, Fault.TOO_MANY, Fault.CONFLICT,
]  # fmt: skip
READS = [*WRITES, Fault.TRUNCATED, Fault.DRIP, Fault.STALE]
PASSING = {
    "get": [fault for fault in READS if fault is not Fault.STALE],
    "list": READS,
    "put": WRITES,
    "put_new": WRITES,
    "delete": WRITES,
}
LASTING = [Fault.FORBIDDEN, Fault.GARBAGE]
SEVERE = {
    "get": [*LASTING, Fault.FLIPPED],
    "list": [*LASTING, Fault.FLIPPED],
    "put": LASTING,
    "put_new": LASTING,
    "delete": LASTING,
}
HISTORIES = 6
reached: dict[str, Counter[tuple[str, Fault]]] = {}


def session_in(cloud: Cloud, weather: Weather) -> tuple[SessionExit, str]:
    begin(cloud.store)
    cloud.proxy.plan = weather
    session = Session(store=PatientStore(cloud.through, lambda _seconds: None), holder="first", number=1)
    with hurried():
        code = session.run()
    cloud.proxy.plan = lambda _asked: None
    reached.setdefault(cloud.name, Counter()).update(cloud.proxy.befell)
    return code, "\n".join(session.said)


@pytest.mark.parametrize("history", range(HISTORIES))
def test_a_session_in_bad_weather_ends_like_one_in_fair(cloud: Cloud, history: int) -> None:
    weather = Weather(random.Random(f"{SEED}/{history}"), 5 * history, PASSING)
    code, said = session_in(cloud, weather)
    assert code is SessionExit.FINISHED, f"FACEGAN_TEST_SEED={SEED}\n{said}"
    assert_ended_untouched(cloud.store)


@pytest.mark.parametrize("history", range(HISTORIES))
def test_a_session_in_worse_refuses_in_words_and_the_next_goes_on(cloud: Cloud, history: int) -> None:
    weather = Weather(random.Random(f"{SEED}/worse/{history}"), history, SEVERE)
    code, said = session_in(cloud, weather)
    if code is not SessionExit.FINISHED:
        assert code in {SessionExit.FAILED, SessionExit.INTERRUPTED, SessionExit.NOT_HOLDER}
        named = cloud.through.url in said or f"runs/{RUN}/" in said
        assert named, f"FACEGAN_TEST_SEED={SEED}\n{said}"
        assert resume(cloud.store, "second") is SessionExit.FINISHED
    assert_ended_untouched(cloud.store)


def test_every_pair_of_verb_and_fault_was_reached() -> None:
    if not reached:
        pytest.skip("asserts what the tests above did")
    for name, pairs in reached.items():
        print(f"{name}: {sum(pairs.values())} faults, {len(pairs)} pairs")
        wanted = {(verb, fault) for verb, faults in PASSING.items() for fault in faults}
        assert not wanted - set(pairs)
