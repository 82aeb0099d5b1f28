"""How sure a plan's end is: the plan played many times with rates, waits and lost sessions as they may be.

The draws are the same for the same plan, so a plan that is asked for twice says the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.planning.prospects import LEAST_S, Estimate, Prospect, Terms
from jobs.planning.sessions import Session, Standing, Until, session

PLAYS, FEWEST, IN_ALL = 300, 100, 3000  # of a short plan, of a long one, and sessions of all plays together
LONGEST = 400  # sessions of one play
SLOWEST = 0.2  # of the likely rate
TAIL = 1.2816  # standard deviations from the middle, beyond which one in ten lies


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """When the run is done, in Unix seconds: one time in ten before `early`, one in ten after `late`.

    `late` is infinite where more than one in ten never come to the end. `in_time` is how many of all ended by the
    deadline, where there was one.
    """

    early: float
    middle: float
    late: float
    in_time: float | None = None


def spread(
    prospects: Sequence[Prospect],
    planned: Sequence[Session],
    begin: Standing,
    terms: Terms,
    opening: Prospect | None = None,
) -> Spread:
    """Play the plan so often, each time with other numbers, and see when the run is done.

    `opening` is what its first session has still before it, where that has begun already.
    """
    luck = random.Random(0)  # noqa: S311 - a sample, and no secret
    plays = max(FEWEST, min(PLAYS, IN_ALL // len(planned)))
    ends = sorted(_play(prospects, planned, begin, terms, luck, opening) for _ in range(plays))
    in_time = None if terms.deadline is None else sum(end <= terms.deadline for end in ends) / plays
    tenth = plays // 10
    return Spread(early=ends[tenth], middle=ends[plays // 2], late=ends[-tenth - 1], in_time=in_time)


def _play(
    prospects: Sequence[Prospect],
    planned: Sequence[Session],
    begin: Standing,
    terms: Terms,
    luck: random.Random,
    opening: Prospect | None,
) -> float:
    """When the run is done this time: by the planned sessions as long as they can be had as planned."""
    drawn = [replace(each, rate=_drawn(each.rate, luck, SLOWEST * each.rate.likely)) for each in prospects]
    now, follows = begin, True
    for turn in range(LONGEST):
        taken = None
        if follows and turn < len(planned):
            wanted = planned[turn]
            where, is_open = drawn[wanted.place], opening is not None and turn == 0
            if opening is not None and is_open:
                where = replace(opening, rate=where.rate)
            taken = _once(now, wanted.place, where, terms, luck, is_open=is_open)
            follows = taken is not None and taken.rationed <= wanted.rationed
        if not follows or taken is None:
            taken = _best_now(now, drawn, terms, luck)
        if taken is None:
            return math.inf
        now = taken.after
        if now.done:
            return now.at
    return math.inf


def _best_now(now: Standing, drawn: Sequence[Prospect], terms: Terms, luck: random.Random) -> Session | None:
    """The session that gets on fastest, its waits among it: where the plan would have to be made anew."""
    found = [_once(now, place, each, terms, luck) for place, each in enumerate(drawn)]
    had = [each for each in found if each is not None]
    return max(had, key=lambda each: each.steps / (each.ends - now.at), default=None)


def _once(
    now: Standing, place: int, prospect: Prospect, terms: Terms, luck: random.Random, *, is_open: bool = False
) -> Session | None:
    """One session there, with a wait and a life of its machine that are this time's."""
    wait_s, life_s = _drawn(prospect.wait_s, luck, 0.0), math.inf
    lost_per_h = prospect.taken_per_h + prospect.fails_per_h
    if lost_per_h > 0.0:
        life_s = max(luck.expovariate(lost_per_h / 3600.0), prospect.start_s + 1.01 * LEAST_S)
    cap_s = math.inf if prospect.cap_s is None else prospect.cap_s
    here = replace(prospect, wait_s=wait_s, cap_s=min(cap_s, life_s), taken_per_h=0.0)
    taken = session(now, place, here, terms, is_open=is_open)
    if taken is None or taken.until is not Until.LIMIT or life_s >= cap_s:
        return taken
    lost = min(taken.steps, luck.uniform(0.0, 2.0 * prospect.lost_s) * prospect.rate.likely)
    return replace(taken, steps=taken.steps - lost, after=replace(taken.after, left=taken.after.left + lost))


def _drawn(estimate: Estimate, luck: random.Random, least: float) -> Estimate:
    """One number as it may be: halves of two bell curves that meet at the likely one."""
    far = luck.gauss(0.0, 1.0) / TAIL
    side = estimate.likely - estimate.low if far < 0.0 else estimate.high - estimate.likely
    return Estimate.exactly(max(least, estimate.likely + far * side))
