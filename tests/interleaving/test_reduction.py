"""What the explorer leaves out, it may leave out: held against explorations that leave out less."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable

import pytest

from facegan import lease
from facegan.ledger.entry import decode
from tests.interleaving.explorer import Explored, Explorer, Scenario
from tests.interleaving.place import Place
from tests.interleaving.program import brief_session, session, slim_session
from tests.interleaving.scenario import LATE, LOST, twice
from tests.interleaving.world import Answer

Explore = Callable[[Scenario], Explored]
SMALL = [
    twice("slim", slim_session(1), steps=1),
    twice("brief, lost", brief_session(1), steps=1, faults=LOST),
    twice("brief, late", brief_session(1), steps=1, faults=LATE),
]
LARGER = [
    twice("whole", session(1), steps=1),
    twice("whole, late, not asked again", session(1, patient=False), steps=1, faults=LATE),
]


@pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)
def test_every_step_of_every_state_leads_to_the_same_ends(scenario: Scenario, explore: Explore) -> None:
    scenario = dataclasses.replace(scenario, every_end=False)
    reduced = explore(scenario)
    whole = explore(dataclasses.replace(scenario, name=f"{scenario.name}, every step", reduced=False))
    assert whole.ledgers == reduced.ledgers
    assert whole.codes.keys() == reduced.codes.keys()
    assert whole.states > reduced.states


@pytest.mark.parametrize("scenario", SMALL, ids=lambda scenario: scenario.name)
def test_either_twin_first_is_the_same_by_another_name(scenario: Scenario, explore: Explore) -> None:
    scenario = dataclasses.replace(scenario, every_end=False)
    twins = explore(scenario)
    both = explore(dataclasses.replace(scenario, name=f"{scenario.name}, no twins", twins=""))
    told = _told(twins)
    assert _told(both) == told | {_swapped(ledger) for ledger in told}


def _told(found: Explored) -> set[tuple[tuple[str, str], ...]]:
    entries = ([decode(data, "") for data in ledger] for ledger in found.ledgers)
    return {tuple((entry.kind, entry.by) for entry in ledger) for ledger in entries}


def _swapped(ledger: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, {"a": "b", "b": "a"}.get(by, by)) for kind, by in ledger)


@pytest.mark.parametrize("scenario", SMALL[1:], ids=lambda scenario: scenario.name)
def test_places_taken_for_one_answer_alike(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    require_sound(scenario, monkeypatch)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scenario", [SMALL[0], *LARGER], ids=lambda scenario: scenario.name)
def test_places_taken_for_one_answer_alike_in_larger_worlds(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_sound(scenario, monkeypatch)


def require_sound(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof by induction that merging is sound: equal places, answered equally, lead to equal places."""
    monkeypatch.setattr(lease, "LOOKS", 1)
    explorer = Explorer(dataclasses.replace(scenario, merged=False, every_end=False))
    apart = explorer.explore()
    compared = sum(_require_alike(process.places) for process in explorer.processes)
    assert compared > 100
    merged = Explorer(dataclasses.replace(scenario, every_end=False)).explore()
    assert merged.ledgers == apart.ledgers
    assert merged.states < apart.states


def _require_alike(places: list[Place]) -> int:
    """How many places had the likeness of an earlier one: each, given the same answer, must go where that one went."""
    first: dict[object, Place] = {}
    went: defaultdict[object, dict[tuple[type, Answer], tuple[object, ...]]] = defaultdict(dict)
    compared = 0
    for place in places:
        if place.likeness is None:
            continue
        compared += first.setdefault(place.likeness, place) is not place
        for key, (after, said) in place.next.items():
            now = (after.likeness, after.code if after.op is None else None, said)
            assert went[place.likeness].setdefault(key, now) == now
    return compared
