"""Every history of two or three sessions and a user keeps every promise of the ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interleaving.explorer import Explored, Scenario
from tests.interleaving.program import brief_session, session
from tests.interleaving.scenario import EVERY_DAY, EXTENDED, LONG, LOST, twice

Explore = Callable[[Scenario], Explored]


def require_all_happened(scenario: Scenario, found: Explored) -> None:
    """An exploration that injects nothing, or in which nobody ever finishes or gives way, shows nothing."""
    wanted = [name for name, left in scenario.faults._asdict().items() if left]
    assert all(found.faults[name] for name in wanted), found
    assert found.codes, found
    assert len(found.ends) > 1, found


@pytest.mark.parametrize("scenario", EVERY_DAY, ids=lambda scenario: scenario.name)
def test_every_history_keeps_every_promise(scenario: Scenario, explore: Explore) -> None:
    require_all_happened(scenario, explore(scenario))


def test_every_history_with_an_extension_keeps_every_promise(explore: Explore) -> None:
    require_all_happened(EXTENDED, explore(EXTENDED))


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scenario", LONG, ids=lambda scenario: scenario.name)
def test_every_history_of_larger_worlds(scenario: Scenario, explore: Explore) -> None:
    require_all_happened(scenario, explore(scenario))


def test_the_same_histories_again_count_the_same(explore: Explore) -> None:
    scenario = twice("brief, counted", brief_session(1), steps=1, faults=LOST)
    first, again = explore(scenario), explore(scenario)
    assert str(first) == str(again)
    assert first.ledgers == again.ledgers


def test_alone_there_is_one_history(explore: Explore) -> None:
    found = explore(Scenario(name="alone", programs={"a": session()}, steps=2))
    assert (found.histories, len(found.ends), found.codes) == (1, 1, {"0": 1})
