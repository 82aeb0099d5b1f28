"""Every order of sessions there is, played out by a program of its own, which shares nothing with the one that plans.

A session is cut at what ends it first. Beside asking at once, a place may also be waited for until its quota is whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from jobs.planning.prospects import FREE_LEAST_S, LEAST_S, PAID_LEAST_S, Prospect, Terms

# time, steps left, paid, (quota left, next reset), seconds of all sessions together
State = tuple[float, float, float, tuple[tuple[float, float], ...], float]


def outcomes(
    prospects: Sequence[Prospect], now: float, steps: float, terms: Terms, deep: int, *, idle: bool = False
) -> Iterator[tuple[float, float]]:
    """The end and the price of every plan of at most so many sessions, within the budget and the hours of the terms.

    Those that are `idle` may leave what there is of a quota to wait for more of it, which `watch` never does.
    """
    quotas = tuple(
        (math.inf, math.inf)
        if each.meter is None
        else (each.meter.left_s, math.inf if each.meter.resets_at is None else each.meter.resets_at)
        for each in prospects
    )
    yield from _from((now, steps, 0.0, quotas, 0.0), prospects, terms, deep, idle)


def _from(
    state: State, prospects: Sequence[Prospect], terms: Terms, deep: int, idle: bool
) -> Iterator[tuple[float, float]]:
    if deep == 0:
        return
    for place in range(len(prospects)):
        reset = _rolled(state[3][place], prospects[place], state[0])[1]
        at_once = _played(state, place, prospects[place], state[0], terms)
        found = [] if at_once is None else [at_once]
        if (idle or at_once is None) and not math.isinf(reset):
            later = _played(state, place, prospects[place], reset, terms)
            found += [] if later is None else [later]
        for after in found:
            if after[1] <= 1e-6:
                yield after[0], after[2]
            else:
                yield from _from(after, prospects, terms, deep - 1, idle)


def _rolled(quota: tuple[float, float], prospect: Prospect, at: float) -> tuple[float, float]:
    left, reset = quota
    while prospect.meter is not None and reset <= at:
        left = prospect.meter.of_s
        reset = math.inf if prospect.meter.period_s is None else reset + prospect.meter.period_s
    return left, reset


def _played(state: State, place: int, prospect: Prospect, asked: float, terms: Terms) -> State | None:
    """The session in stretches: each goes to the next moment at which anything changes."""
    _, todo, paid, quotas, used_s = state
    at = asked + prospect.wait_s.likely
    left, reset = _rolled(quotas[place], prospect, at)
    begun = at
    until = begun + prospect.lasts_s
    if terms.budget is not None and prospect.usd_per_h > 0:
        affords_s = 3600 * max(0.0, terms.budget - paid) / prospect.usd_per_h
        if affords_s < PAID_LEAST_S:
            return None
        until = min(until, begun + affords_s)
    if terms.hours is not None:
        lets_s = 3600 * terms.hours - used_s
        if lets_s < (PAID_LEAST_S if prospect.usd_per_h > 0 else FREE_LEAST_S):
            return None
        until = min(until, begun + lets_s)
    done_at = begun + prospect.start_s + todo / prospect.rate.likely
    while True:
        to = min(until, done_at, at + left, reset)
        left -= to - at
        at = to
        if at == reset and at < min(until, done_at):
            left, reset = _rolled((left, reset), prospect, at)
            continue
        break
    trained = at - begun - prospect.start_s
    if at < done_at and trained < LEAST_S - 1e-6:
        return None
    if prospect.taken_per_h > 0 and at == begun + prospect.lasts_s:
        trained = max(0.0, trained - prospect.lost_s)
    todo = 0.0 if at >= done_at else todo - trained * prospect.rate.likely
    mine = tuple((left, reset) if other == place else quota for other, quota in enumerate(quotas))
    return at, todo, paid + (at - begun) / 3600 * prospect.usd_per_h, mine, used_s + at - begun


def earliest(found: Sequence[tuple[float, float]]) -> float:
    return min((end for end, _ in found), default=math.inf)


def cheapest(found: Sequence[tuple[float, float]], deadline: float) -> float:
    return min((usd for end, usd in found if end <= deadline), default=math.inf)
