"""Weeks of bad luck, as many as there is time for: whatever goes wrong, what is promised holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from jobs.rehearsal.weeks import week
from jobs.rehearsal.world import Outcome, rehearse

SECONDS = float(os.environ.get("FACEGAN_TEST_WEEKS_S", "120"))
FEWEST, MOST, MANY, CHUNK = 5, 600, 10_000, 200
TODAY = (datetime.now(UTC).date() - date(2026, 1, 1)).days
FIRST = int(os.environ.get("FACEGAN_TEST_WEEKS_FROM", MANY + MOST * TODAY))  # other weeks each day


def play(seed: int) -> Outcome:
    outcome = rehearse(week(seed))
    assert not outcome.broken, f"seed {seed}: {outcome.broken}"
    return outcome


def test_as_many_weeks_as_there_is_time_for(record_property: Callable[[str, object], None]) -> None:
    began, sessions, killed, count = time.monotonic(), 0, 0, 0
    try:
        while count < FEWEST or (time.monotonic() - began < SECONDS and count < MOST):
            outcome = play(FIRST + count)
            sessions += sum(ending.sessions for ending in outcome.endings)
            killed += outcome.killed
            count += 1
    finally:
        whole = f"{count} seeded weeks from seed {FIRST} broke no promise"
        record_property("counted", f"{whole}: {sessions} sessions, {killed} watches killed")
    assert sessions > count
    assert killed > count


@pytest.mark.parametrize("seed", [2_492])
def test_a_week_that_once_found_something(seed: int) -> None:
    """2492: one watch asked for a session, and another took what that may use of the budget for spent, and gave up."""
    play(seed)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("first", range(0, MANY, CHUNK))
def test_ten_thousand_weeks(first: int) -> None:
    for seed in range(first, first + CHUNK):
        play(seed)
