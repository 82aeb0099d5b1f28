"""A rehearsal as it is printed: the same text for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facegan.experiment import Json
from jobs.rehearsal.diary import Event
from jobs.rehearsal.terms import DAY_S
from jobs.rehearsal.world import Ending, Outcome, Used

HEADER = ("DAY", "HOUR", "RUN", "SESSION", "PLACE", "WHAT", "STEPS", "WHY")
USED = ("PLACE", "SESSIONS", "HOURS", "QUOTA AT THE END", "USD")


def rows(outcome: Outcome) -> Iterator[Sequence[str]]:
    """The timeline, a row for each event."""
    for event in outcome.events:
        day, hour = when(event.at)
        number = "" if event.session is None else str(event.session)
        yield day, hour, event.run, number, event.place, event.what, _steps(event), event.why


def used(outcome: Outcome) -> Iterator[Sequence[str]]:
    """What was used of each place. Of its quota, that is what is used of the last of its periods."""
    for each in outcome.used:
        yield each.place, str(each.sessions), f"{each.hours:.1f}", _quota(each), f"{each.paid:.2f}"


def finish(outcome: Outcome) -> Iterator[str]:
    """How each run came out, and how much was held against the promises."""
    for ending in outcome.endings:
        yield _ending(ending, outcome.play.days)
    yield (
        f"{outcome.watches:,} visits of the watch, {outcome.killed:,} of them killed; "
        f"after each of {outcome.changes:,} changes of the store, nothing that is promised was broken"
    )


def to_json(outcome: Outcome) -> Json:
    return {
        "seed": outcome.play.seed,
        "days": outcome.play.days,
        "broken": outcome.broken or None,
        "events": [event.to_json() for event in outcome.events],
        "runs": [
            {name: getattr(ending, name) for name in ("run", "steps", "reached", "sessions", "at")}
            for ending in outcome.endings
        ],
        "places": [
            {
                "place": each.place,
                "sessions": each.sessions,
                "hours": round(each.hours, 3),
                "quota_hours": None if each.quota_hours is None else round(each.quota_hours, 3),
                "usd": round(each.paid, 2),
            }
            for each in outcome.used
        ],
        "watches": outcome.watches,
        "killed": outcome.killed,
        "changes": outcome.changes,
    }


def when(at: float) -> tuple[str, str]:
    """Day, from 1 on, and time of it."""
    minutes = int(at % DAY_S) // 60
    return str(int(at // DAY_S) + 1), f"{minutes // 60:02d}:{minutes % 60:02d}"


def _steps(event: Event) -> str:
    if event.first is None:
        return ""
    return f"{event.first:,}" if event.last is None else f"{event.first:,} to {event.last:,}"


def _quota(each: Used) -> str:
    return "" if each.quota_hours is None else f"{each.quota_hours:.1f} of {each.quota_of:g} h"


def _ending(ending: Ending, days: float) -> str:
    sessions = "one session" if ending.sessions == 1 else f"{ending.sessions} sessions"
    if ending.at is None:
        return f"{ending.run} is at step {ending.reached:,} of {ending.steps:,} after {days:g} days and {sessions}"
    day, hour = when(ending.at)
    return f"{ending.run} is finished on day {day} at {hour}: {ending.steps:,} steps in {sessions}"
