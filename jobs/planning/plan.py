"""A plan: its legs, its end with how sure it is, its price, and why other backends have no part in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.planning.play import Play
from jobs.planning.prospects import Prospect, Terms, Unfit
from jobs.planning.search import LATE_S, search
from jobs.planning.sessions import Session, Standing, session, start
from jobs.planning.spread import Spread, spread

SOON_S = 900.0  # what begins later than that is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One session of the plan: asked for at `asked`, training from `begins` to `ends`, in Unix seconds.

    It goes on after step `first`, and ends with `last`. It may last `cap_s`, and use `quota_left_s` of the `quota_of_s`
    that its place lets one use, before any of that begins anew; `None` where there is no such limit.
    """

    backend: str
    gpu: str | None
    asked: float
    begins: float
    ends: float
    first: int
    last: int
    usd: float
    why: str
    cap_s: float | None = None
    quota_left_s: float | None = None
    quota_of_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to expect of a run. Without `legs` there is no way to its end, and `why` says so.

    `is_late` is whether no plan ends by the deadline: this one is the earliest.
    """

    legs: tuple[Leg, ...]
    unfit: tuple[Unfit, ...] = ()
    spread: Spread | None = None
    why: str = ""
    is_late: bool = False

    @property
    def ends(self) -> float | None:
        return self.legs[-1].ends if self.legs else None

    @property
    def usd(self) -> float:
        return sum(leg.usd for leg in self.legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A run that is planned, from `now` on, in Unix seconds: `done` of its `steps` are made.

    `opening`, where it has a session by now, is what that has still before it.
    """

    now: float
    done: int
    steps: int
    opening: Prospect | None = None


def plan(prospects: Sequence[Prospect], unfit: Sequence[Unfit], course: Course, terms: Terms) -> Plan:
    """The best plan for the run."""
    if course.done >= course.steps:
        return Plan(legs=(), unfit=tuple(unfit), why=f"all {course.steps:,} steps are committed")
    places, opening = _with_opening(prospects, course.opening)
    if not places:
        return Plan(legs=(), unfit=tuple(unfit), why="no backend is left that a session could be planned on")
    begin = start(places, course.now, float(course.steps - course.done))
    first = None
    if opening is not None and course.opening is not None:
        first = session(begin, opening, course.opening, terms, is_open=True)
    found, is_late = _found(places[: len(prospects)], begin, first, terms), False
    if found is None and terms.deadline is not None:
        found, is_late = _found(places[: len(prospects)], begin, first, replace(terms, deadline=None)), True
    if found is None:
        return Plan(legs=(), unfit=tuple(unfit), why=_no_way(terms))
    return Plan(
        legs=_legs(places, found, begin, course, is_open=first is not None),
        unfit=tuple(unfit),
        spread=spread(
            Play(
                prospects=places,
                planned=found,
                begin=begin,
                terms=terms,
                opening=course.opening if first is not None else None,
            )
        ),
        is_late=is_late,
    )


def _with_opening(prospects: Sequence[Prospect], opening: Prospect | None) -> tuple[list[Prospect], int | None]:
    """The places, that of the session which is open among them, and which it is."""
    if opening is None:
        return list(prospects), None
    names = [(each.backend, each.gpu) for each in prospects]
    if (opening.backend, opening.gpu) in names:
        return list(prospects), names.index((opening.backend, opening.gpu))
    return [*prospects, opening], len(prospects)


def _found(
    prospects: Sequence[Prospect], begin: Standing, first: Session | None, terms: Terms
) -> tuple[Session, ...] | None:
    """The best sessions, the one that is open being the first."""
    if first is None:
        return search(prospects, begin.at, begin.left, terms)
    if first.after.done:
        in_time = terms.deadline is None or first.ends <= terms.deadline + LATE_S
        return (first,) if in_time else None
    rest = _rest(prospects, first, terms)
    return None if rest is None else (first, *rest)


def _rest(prospects: Sequence[Prospect], first: Session, terms: Terms) -> tuple[Session, ...] | None:
    """The best sessions after this one."""
    then = first.after
    left = [replace(each, meter=meter) for each, meter in zip(prospects, then.meters, strict=False)]
    return search(left, then.at, then.left, terms.less(then.paid, then.used_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Backends, the one to be asked first before the others.

    Where one of them `is_waited_for`, it is the last, and what is worse than waiting for it was left out: whoever takes
    the first that can would else not wait.
    """

    backends: tuple[str, ...] = ()
    is_waited_for: bool = False


def order(prospects: Sequence[Prospect], now: float, steps: float, terms: Terms) -> Order:
    """In which order the backends are to be asked for the next session, `steps` being left.

    First the one that the plan begins with; the others by the plans that begin with them.
    """
    best = search(prospects, now, steps, terms)
    if best is None:
        return Order()
    ranked = [(0.0, best[0])]
    begin = start(prospects, now, steps)
    for place, prospect in enumerate(prospects):
        first = None if place == best[0].place else session(begin, place, prospect, terms)
        if first is not None:
            ranked.append((_ends(prospects, first, terms), first))
    names: list[str] = []
    for ends, first in sorted(ranked, key=lambda each: each[0]):
        if math.isinf(ends):
            break
        names.append(prospects[first.place].backend)
        if first.asked - now > SOON_S:
            return Order(backends=tuple(dict.fromkeys(names)), is_waited_for=True)
    return Order(backends=tuple(dict.fromkeys(names)))


def _ends(prospects: Sequence[Prospect], first: Session, terms: Terms) -> float:
    """When the best plan ends that begins with this session."""
    if first.after.done:
        return first.ends
    rest = _rest(prospects, first, terms)
    return math.inf if rest is None else rest[-1].ends


def _legs(
    places: Sequence[Prospect], found: Sequence[Session], begin: Standing, course: Course, *, is_open: bool
) -> tuple[Leg, ...]:
    """The sessions as a person reads them: whole steps, which add up."""
    legs: list[Leg] = []
    now, last = begin, course.done
    for each in found:
        goes_on = is_open and not legs
        where = course.opening if goes_on and course.opening is not None else places[each.place]
        first, meter = last, now.meters[each.place]
        meter = None if meter is None else meter.at(each.begins)
        last = course.steps if each.after.done else min(course.steps, first + round(each.steps))
        how = "goes on, " if goes_on else "quota anew, " if each.rationed else ""
        legs.append(
            Leg(
                backend=where.backend,
                gpu=where.gpu,
                asked=each.asked,
                begins=each.begins + where.start_s,
                ends=each.ends,
                first=first,
                last=last,
                usd=each.usd,
                why=f"{how}until {each.until}",
                cap_s=where.cap_s,
                quota_left_s=None if meter is None else meter.left_s,
                quota_of_s=None if meter is None else meter.of_s,
            )
        )
        now = each.after
    return tuple(legs)


def _no_way(terms: Terms) -> str:
    dear = f" for {terms.budget:.2f} USD" if terms.budget is not None else ""
    long = f" in {terms.hours:.1f} h of sessions" if terms.hours is not None else ""
    return f"no order of sessions comes to the end of the run{dear}{long}"
