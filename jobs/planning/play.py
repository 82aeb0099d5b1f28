"""A plan played once, with rates, waits and ends of sessions as they may be, and with what a watch meets.

A watch comes by from time to time alone; a place may have no room when it is asked, and one that has just lost a
session is asked no sooner than at the next look; sessions fail, never begin, or come to a step that never ends.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.planning.prospects import LEAST_S, Estimate, Prospect, Terms
from jobs.planning.sessions import Session, Standing, Until, session

LONGEST = 400  # sessions of one play
LOOKS = 400  # for one session
LOOK_EVERY_S = 900.0  # of a watch from cron or Actions; beside one that stays, a run is done that little earlier
STILLBORN = 0.04  # of all sessions never begin, and
HANGING = 0.02  # of all come to a step that never ends: as in rehearsals, a guess
SLOWEST = 0.2  # of the likely rate
VAGUE = 2.0  # a start-up takes half to twice as long as the likely one, but for two times in ten
TAIL = 1.2816  # standard deviations from the middle, beyond which one in ten lies


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is the same each time: the places, the plan, and how things stand before it.

    `opening` is what the first session has still before it, where that has begun already.
    """

    prospects: Sequence[Prospect]
    planned: Sequence[Session]
    begin: Standing
    terms: Terms
    opening: Prospect | None = None

    def ends(self, luck: random.Random) -> float:
        """When the run is done this time, by the planned sessions as long as they can be had as planned."""
        rates = [_drawn(each.rate, luck, SLOWEST * each.rate.likely) for each in self.prospects]
        drawn = [replace(each, rate=rate) for each, rate in zip(self.prospects, rates, strict=True)]
        now, follows, lost_at = self.begin, True, None
        for turn in range(LONGEST):
            wanted = self.planned[turn] if follows and turn < len(self.planned) else None
            if turn == 0 and self.opening is not None:
                place = self.planned[0].place
                taken = _once(now, place, replace(self.opening, rate=rates[place]), self.terms, luck, is_open=True)
            else:
                taken = _next(now, wanted, drawn, self.terms, luck, lost_at)
            if taken is None:
                return math.inf
            if taken.after.done:
                return taken.ends
            follows = wanted is not None and _is_as_wanted(taken, wanted)
            lost_at = taken.place if taken.until is Until.TAKEN else None
            now = replace(taken.after, at=taken.ends + luck.uniform(0.0, LOOK_EVERY_S))
        return math.inf


def _next(
    now: Standing,
    wanted: Session | None,
    drawn: Sequence[Prospect],
    terms: Terms,
    luck: random.Random,
    lost_at: int | None,
) -> Session | None:
    """The session that is had, look after look. While the best place cannot be asked, the others are, for one at once.

    At `lost_at` the one before was lost.
    """
    for _ in range(LOOKS):
        out = {place for place, each in enumerate(drawn) if luck.random() < each.crowded}
        out |= {lost_at} if lost_at is not None else set()
        lost_at = None
        had = [_once(now, place, each, terms, luck) for place, each in enumerate(drawn)]
        found = [each for each in had if each is not None]
        best = _best(found, wanted, now.at)
        if best is None:
            return None
        if best.place in out and not best.rationed:
            best = _best([each for each in found if each.place not in out and not each.rationed], None, now.at)
        if best is None:
            now = replace(now, at=now.at + LOOK_EVERY_S)
        elif luck.random() < STILLBORN:
            now, lost_at = replace(now, at=best.begins + luck.uniform(0.0, LOOK_EVERY_S)), best.place
        else:
            return best
    return None


def _best(found: Sequence[Session], wanted: Session | None, now: float) -> Session | None:
    """The wanted one as it was planned; where it cannot be had, that which gets on fastest, its waits among it."""
    for each in found:
        if wanted is not None and _is_as_wanted(each, wanted):
            return each
    return max(found, key=lambda each: each.steps / (each.ends - now), default=None)


def _is_as_wanted(taken: Session, wanted: Session) -> bool:
    return taken.place == wanted.place and taken.rationed <= wanted.rationed


def _once(
    now: Standing, place: int, prospect: Prospect, terms: Terms, luck: random.Random, *, is_open: bool = False
) -> Session | None:
    """One session there, with a wait, a start-up and an end that are this time's."""
    start_s = Estimate(likely=prospect.start_s, low=prospect.start_s / VAGUE, high=prospect.start_s * VAGUE)
    here = replace(
        prospect,
        wait_s=_drawn(prospect.wait_s, luck, 0.0),
        start_s=_drawn(start_s, luck, 0.0).likely,
        taken_per_h=0.0,
    )
    whole = session(now, place, here, terms, is_open=is_open)
    if whole is None:
        return None
    lost_s = luck.uniform(0.0, 2.0 * prospect.lost_s)
    life_s, idle_s = _life(prospect, whole.ends - whole.begins, luck)
    if whole.begins + life_s < whole.ends:
        cut = session(
            now, place, replace(here, cap_s=max(life_s, here.start_s + 1.01 * LEAST_S)), terms, is_open=is_open
        )
        if cut is not None and cut.until is Until.LIMIT:
            return replace(_without(cut, (idle_s + lost_s) * prospect.rate.likely), until=Until.TAKEN)
    if whole.until is Until.QUOTA:  # nobody tells a session of that end
        return _without(whole, lost_s * prospect.rate.likely)
    return whole


def _life(prospect: Prospect, whole_s: float, luck: random.Random) -> tuple[float, float]:
    """How long a session lives of which nothing else is the end, and how much of that it does nothing at last."""
    lost_per_h = prospect.taken_per_h + prospect.fails_per_h
    life_s = luck.expovariate(lost_per_h / 3600.0) if lost_per_h > 0.0 else math.inf
    if luck.random() < HANGING:
        hangs_s = luck.uniform(0.0, whole_s)
        if hangs_s < life_s:
            return hangs_s + prospect.stall_s, prospect.stall_s
    return life_s, 0.0


def _without(taken: Session, steps: float) -> Session:
    """The session without the last steps, which were not committed."""
    lost = min(taken.steps, steps)
    return replace(taken, steps=taken.steps - lost, after=replace(taken.after, left=taken.after.left + lost))


def _drawn(estimate: Estimate, luck: random.Random, least: float) -> Estimate:
    """One number as it may be: halves of two bell curves that meet at the likely one."""
    far = luck.gauss(0.0, 1.0) / TAIL
    side = estimate.likely - estimate.low if far < 0.0 else estimate.high - estimate.likely
    return Estimate.exactly(max(least, estimate.likely + far * side))
