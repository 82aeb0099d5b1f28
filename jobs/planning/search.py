"""The best order of sessions: all orders at once, session by session, without those that cannot become the best.

Exact as long as no more than `EXACT` sessions have to be tried. After that, of all ways to stand after so many
sessions, only the `WIDTH` most promising are gone on with, and none that another is better than in every respect. (That
alone is no proof: a session that begins later may find its quota begun anew.)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from jobs.planning.bounds import Bounds
from jobs.planning.prospects import Meter, Prospect, Terms
from jobs.planning.sessions import Session, Standing, session, start

EXACT = 2000
WIDTH = 16
DEEPEST = 400  # sessions
LATE_S = 1.0  # what ends so little after the deadline is in time
TIE = 0.02  # of the time until the end: no money is spent to be done that little earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The sessions so far, the last one first, and how things stand after them."""

    now: Standing
    last: Session | None = None
    before: Way | None = None

    def sessions(self) -> tuple[Session, ...]:
        found: list[Session] = []
        way: Way | None = self
        while way is not None and way.last is not None:
            found.append(way.last)
            way = way.before
        return tuple(reversed(found))


def search(prospects: Sequence[Prospect], now: float, steps: float, terms: Terms) -> tuple[Session, ...] | None:
    """The sessions of the best plan by these terms; `None` where there is none.

    Of plans that end at nearly the same time the cheapest is the best, and of equally cheap ones the earliest.
    """
    best = _Best(now=now, terms=terms, bounds=Bounds.of(prospects, terms))
    begin = Way(now=start(prospects, now, steps))
    for place in range(len(prospects)):
        best.take(_alone(begin, place, prospects[place], terms))
    ways, tried = [begin], 0
    for _ in range(DEEPEST):
        tried += len(ways) * len(prospects)
        ways = _distinct(way for way in _further(ways, prospects, terms) if best.take(way))
        if tried > EXACT:
            ways = _narrowed(ways, best)
        if not ways:
            break
    chosen = best.chosen()
    return None if chosen is None else chosen.sessions()


class _Best:
    """The plans that are done, and what of the others can still become better."""

    def __init__(self, *, now: float, terms: Terms, bounds: Bounds) -> None:
        self.bounds = bounds
        self._now = now
        self._terms = terms
        self._done: list[Way] = []
        self._end = math.inf
        self._usd = math.inf

    def take(self, way: Way | None) -> bool:
        """Keep what is done; whether to go on with what is not."""
        if way is None:
            return False
        if not way.now.done:
            return self._may_win(way.now)
        if self._terms.deadline is None or way.now.at <= self._terms.deadline + LATE_S:
            self._done.append(way)
            self._end = min(self._end, way.now.at)
            self._usd = min(self._usd, way.now.paid)
        return False

    def promise(self, now: Standing) -> tuple[float, float]:
        """The smaller, the better what may follow."""
        if self._terms.deadline is None:
            return self.bounds.end(now), now.paid
        return self.bounds.usd(now), self.bounds.end(now)

    def chosen(self) -> Way | None:
        if not self._done:
            return None
        if self._terms.deadline is not None:
            return min(self._done, key=lambda way: (way.now.paid, way.now.at))
        latest = self._latest()
        near = [way for way in self._done if way.now.at <= latest]
        return min(near, key=lambda way: (way.now.paid, way.now.at))

    def _latest(self) -> float:
        """What ends later than that is no tie."""
        return self._end + TIE * (self._end - self._now)

    def _may_win(self, now: Standing) -> bool:
        end = self.bounds.end(now)
        if math.isinf(end):
            return False
        if self._terms.deadline is None:
            return end <= self._latest()
        usd = self.bounds.usd(now)
        return end <= self._terms.deadline + LATE_S and (usd < self._usd or (usd == self._usd and end < self._end))


def _alone(begin: Way, place: int, prospect: Prospect, terms: Terms) -> Way | None:
    """The plan that stays at one place: a first one to measure others by."""
    way = begin
    for _ in range(DEEPEST):
        taken = session(way.now, place, prospect, terms)
        if taken is None:
            return None
        way = Way(now=taken.after, last=taken, before=way)
        if way.now.done:
            return way
    return None


def _further(ways: Iterable[Way], prospects: Sequence[Prospect], terms: Terms) -> Iterable[Way]:
    """Each way with one more session, on each prospect."""
    for way in ways:
        for place, prospect in enumerate(prospects):
            taken = session(way.now, place, prospect, terms)
            if taken is not None:
                yield Way(now=taken.after, last=taken, before=way)


def _distinct(ways: Iterable[Way]) -> list[Way]:
    """One of each that stand the same: where nothing is rationed, the order of sessions changes nothing."""
    return list({_mark(way.now): way for way in ways}.values())


def _mark(now: Standing) -> Hashable:
    meters = [None if meter is None else meter.at(now.at) for meter in now.meters]
    left = tuple(None if meter is None else (round(meter.left_s, 3), meter.resets_at) for meter in meters)
    return round(now.at, 3), round(now.left, 3), round(now.paid, 6), round(now.used_s, 3), left


def _narrowed(ways: Iterable[Way], best: _Best) -> list[Way]:
    """Without those that another is better than in every respect, and no more than `WIDTH`."""
    kept: list[Way] = []
    ordered = sorted(ways, key=lambda way: best.promise(way.now))
    for way in ordered:
        if not any(_covers(other.now, way.now) for other in kept):
            kept.append(way)
            if len(kept) == WIDTH:
                break
    return kept


def _covers(one: Standing, other: Standing) -> bool:
    """Whether `one` is at least as good as `other` for whatever may follow."""
    if one.at > other.at or one.left > other.left or one.paid > other.paid or one.used_s > other.used_s:
        return False
    return all(_holds(mine, its, other.at) for mine, its in zip(one.meters, other.meters, strict=True))


def _holds(mine: Meter | None, its: Meter | None, at: float) -> bool:
    if mine is its or mine is None or its is None:
        return True
    return mine.at(at).left_s >= its.at(at).left_s
