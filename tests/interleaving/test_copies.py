"""Sessions on copies of the run: they leave, come home or are given up, and every history keeps every promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from facegan import layout, lease
from facegan.ledger import Ledger, law
from facegan.storage.base import ObjectStore
from facegan.storage.retry import PatientStore
from jobs import launch, word
from jobs.carrying import bringing, judging
from tests.interleaving import carried, test_reduction
from tests.interleaving.carried import (
    AWAY,
    HERE,
    Command,
    bring,
    cancel,
    cut_off,
    give_up,
    person,
    resume,
    stop,
    submit,
    watch,
)
from tests.interleaving.explorer import NO_FAULTS, Explored, Faults, Scenario
from tests.interleaving.program import brief_session
from tests.interleaving.scenario import CRASH, LOST, ONE_OF_EACH
from tests.interleaving.test_histories import require_all_happened
from tests.interleaving.world import Program, Violation

Explore = Callable[[Scenario], Explored]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    carried.know_places(monkeypatch)


def away(
    name: str,
    *commands: Command,
    knows_us: bool = True,
    faults: Faults = NO_FAULTS,
    steps: int = 2,
    more: Mapping[str, Program] | None = None,
) -> Scenario:
    """A session that is sent away, does one step there, and somebody who types these commands meanwhile."""
    programs = {"user-a": person(submit, steps=1), "user-b": person(*commands, knows_us=knows_us, steps=1)}
    return Scenario(name=f"away, {name}", programs={**programs, **(more or {})}, steps=steps, faults=faults)


def gives_up(number: int) -> Program:
    """Somebody of whom the place knows nothing any more."""
    return person(give_up(number), knows_us=False)


BY_HAND = Scenario(
    name="away, and a session by hand", programs={"user-a": person(submit), "c": brief_session()}, steps=1
)

EVERY_DAY = [
    away("brought home, faults", bring, faults=ONE_OF_EACH, steps=1),
    away("sent twice, one may crash", submit, faults=CRASH),
    away("given up and gone on here, one may crash", give_up(1), resume(HERE), knows_us=False, faults=CRASH, steps=1),
    away("resumed there", resume(AWAY)),
    away("stopped, one may crash", bring, stop, faults=CRASH, steps=1),
    away("cancelled", cancel(delete=False)),
    away("cancelled, and its kernel deleted, one may crash", cancel(delete=True), faults=CRASH, steps=1),
    away("watched", watch),
    away("brought home and given up, one may crash", bring, faults=CRASH, steps=1, more={"user-c": gives_up(1)}),
    BY_HAND,
    away("cut off, one may crash", bring, faults=CRASH, more={"user-c": cut_off(1)}),
]

LONG = [
    away("given up and gone on here, faults", give_up(1), resume(HERE), knows_us=False, faults=ONE_OF_EACH),
    away("resumed there, faults", resume(AWAY), faults=ONE_OF_EACH),
    away("resumed here, one may crash", resume(HERE), faults=CRASH),
    away("stopped, faults", bring, stop, faults=ONE_OF_EACH),
    away("cancelled, and its kernel deleted, faults", cancel(delete=True), faults=ONE_OF_EACH),
    away("watched, faults", watch, faults=ONE_OF_EACH),
    away("brought home twice, one may crash", bring, faults=CRASH, more={"user-c": person(bring)}),
    away("watched and given up, one may crash", watch, faults=CRASH, more={"user-c": gives_up(1)}),
    away("stopped and brought", stop, more={"user-c": person(bring)}),
    away("cancelled and given up", cancel(delete=True), more={"user-c": gives_up(1)}),
]


@pytest.mark.parametrize("scenario", EVERY_DAY, ids=lambda scenario: scenario.name)
def test_every_history_keeps_every_promise(scenario: Scenario, explore: Explore) -> None:
    require_all_happened(scenario, explore(scenario))


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scenario", LONG, ids=lambda scenario: scenario.name)
def test_every_history_of_larger_worlds(scenario: Scenario, explore: Explore) -> None:
    require_all_happened(scenario, explore(scenario))


@pytest.mark.long
def test_places_taken_for_one_answer_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    test_reduction.require_sound(away("sound", bring, steps=1, faults=LOST), monkeypatch)


# --- the explorer can fail: each rule, broken, is found -------------------------------------------


def a_copy_is_taken_for_the_run(patch: Patch) -> None:
    """Words are added at home while it is away."""
    patch.setattr(law, "OF_A_CARRIED", frozenset(law._RULES))
    for module in (launch, word):
        patch.setattr(module, "require_here", lambda _fold: None)


def entries_come_home_before_their_objects(patch: Patch) -> None:
    put = PatientStore.put
    waiting: list[tuple[ObjectStore, str, bytes]] = []

    def later(store: PatientStore, key: str, data: bytes) -> None:
        waiting.append((store, key, data))

    def append(ledger: Ledger, number: int, taken: judging.Taken) -> bool:
        stands = whole(ledger, number, taken)
        for store, key, data in waiting:
            put(store, key, data)  # type: ignore[arg-type]
        waiting.clear()
        return stands

    whole = bringing._append
    patch.setattr(PatientStore, "put", later)
    patch.setattr(bringing, "_append", append)


def what_stands_in_its_place_is_passed_over(patch: Patch) -> None:
    """Who brings a session home does not look whether an entry that is there is the session's."""

    def append(ledger: Ledger, number: int, taken: judging.Taken) -> bool:
        del number
        for seq, data in taken.entries.items():
            ledger.store.put_new(layout.entry(ledger.run, seq), data)
        return True

    patch.setattr(bringing, "_append", append)


def a_silent_copy_is_taken_over(patch: Patch) -> None:
    patch.setattr(lease, "_lives", lambda *_: False)


MUTATIONS: Sequence[tuple[Callable[[Patch], None], Scenario, str]] = [
    (a_copy_is_taken_for_the_run, away("broken", stop, steps=1), "added at home while a copy"),
    (entries_come_home_before_their_objects, away("broken", bring, steps=1, faults=CRASH), "verify finds"),
    (
        what_stands_in_its_place_is_passed_over,
        away("broken", bring, steps=1, more={"user-c": gives_up(1)}),
        "does not follow",
    ),
    (a_silent_copy_is_taken_over, BY_HAND, "ended with .*FAILED"),
]


@pytest.mark.parametrize(("break_it", "scenario", "found"), MUTATIONS, ids=[m[0].__name__ for m in MUTATIONS])
def test_a_broken_rule_is_found(
    break_it: Callable[[Patch], None], scenario: Scenario, found: str, explore: Explore, monkeypatch: Patch
) -> None:
    break_it(monkeypatch)
    with pytest.raises(Violation, match=found):
        explore(scenario)
