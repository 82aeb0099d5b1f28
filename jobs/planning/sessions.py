"""How one session of a plan goes: when it can begin, when it ends, how far it gets and what it costs.

A session is left alone until its place, its quota, the budget or the run ends it, as `watch` leaves it: only between
two sessions is anything decided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from jobs.planning.prospects import FREE_LEAST_S, LEAST_S, PAID_LEAST_S, Meter, Prospect, Terms

FINEST = 1e-6  # of a step; what is left below that is rounding


class Until(StrEnum):
    """What ends a session, in words that go into a table.

    `TAKEN`: its machine is lent only until somebody pays more, which it is after about so long.
    """

    DONE = "it is done"
    LIMIT = "its cap"
    TAKEN = "it is taken back"
    QUOTA = "its quota ends"
    BUDGET = "the budget ends"
    HOURS = "the hours end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand between two sessions: the time, the steps that are left, what was paid, and every quota.

    `used_s` is how long all sessions together took.
    """

    at: float
    left: float
    paid: float
    meters: tuple[Meter | None, ...]
    used_s: float = 0.0

    @property
    def done(self) -> bool:
        return self.left <= FINEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of a plan, on the prospect of that `place`: asked for at `asked`, and what it leaves behind.

    It is `rationed` where it could not be asked for before its quota began anew.
    """

    place: int
    asked: float
    begins: float
    ends: float
    steps: float
    usd: float
    until: Until
    rationed: bool
    after: Standing


def start(prospects: Sequence[Prospect], at: float, steps: float) -> Standing:
    """How things stand before the first session."""
    return Standing(at=at, left=steps, paid=0.0, meters=tuple(each.meter for each in prospects))


def session(now: Standing, place: int, prospect: Prospect, terms: Terms, *, is_open: bool = False) -> Session | None:
    """The next session on this prospect, as soon as it can be had; `None` where it never can.

    One that `is_open` has been begun: however little is left for it, it goes on.
    """
    needs_s = prospect.start_s + now.left / prospect.rate.likely
    least_s = 0.0 if is_open else min(needs_s, prospect.start_s + LEAST_S)
    asked, meter = now.at, now.meters[place]
    begins = asked + prospect.wait_s.likely
    if meter is not None and meter.lasts(begins, least_s) < least_s:
        meter = meter.at(begins)
        if meter.resets_at is None:
            return None
        asked = meter.resets_at
        begins = asked + prospect.wait_s.likely
    affords_s, lets_s = _affords(now.paid, prospect, terms), _lets(now.used_s, terms)
    paid_least_s = PAID_LEAST_S if prospect.usd_per_h > 0.0 else FREE_LEAST_S
    if not is_open and min(affords_s, lets_s) < paid_least_s:
        return None
    limit_s, limit = min(
        (needs_s, Until.DONE),
        (prospect.lasts_s, Until.TAKEN if prospect.taken_per_h > 0.0 else Until.LIMIT),
        (affords_s, Until.BUDGET),
        (lets_s, Until.HOURS),
        key=lambda each: each[0],
    )
    runs_s = limit_s if meter is None else meter.lasts(begins, limit_s)
    if runs_s < least_s * (1.0 - 1e-9):
        return None
    until = limit if runs_s >= limit_s else Until.QUOTA
    lost_s = prospect.lost_s if until is Until.TAKEN else 0.0
    trains_s = max(0.0, runs_s - prospect.start_s - lost_s)
    left = 0.0 if runs_s >= needs_s else now.left - trains_s * prospect.rate.likely
    usd = runs_s / 3600.0 * prospect.usd_per_h
    meters = now.meters
    if meter is not None:
        meters = (*meters[:place], meter.after(begins, runs_s), *meters[place + 1 :])
    return Session(
        place=place,
        asked=asked,
        begins=begins,
        ends=begins + runs_s,
        steps=now.left - left,
        usd=usd,
        until=until,
        rationed=asked > now.at,
        after=Standing(at=begins + runs_s, left=left, paid=now.paid + usd, meters=meters, used_s=now.used_s + runs_s),
    )


def _affords(paid: float, prospect: Prospect, terms: Terms) -> float:
    """How long a session can be until the money is used up, in seconds."""
    if terms.budget is None or prospect.usd_per_h <= 0.0:
        return math.inf
    return max(0.0, terms.budget - paid) / prospect.usd_per_h * 3600.0


def _lets(used_s: float, terms: Terms) -> float:
    """How long a session can be until the hours are used up, in seconds."""
    return math.inf if terms.hours is None else max(0.0, terms.hours * 3600.0 - used_s)
