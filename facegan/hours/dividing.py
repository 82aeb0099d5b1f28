"""Every moment of a run given to one part of one session, or to none: a pure function."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from facegan.experiment import Json
from facegan.hours.stays import Stay, Stays
from facegan.spent import AGAIN, SAVING, STARTING, TRAINING

QUEUE, AWAY, USEFUL = "queue", "away", "useful"
PARTS = (QUEUE, AWAY, STARTING, USEFUL, AGAIN, SAVING)
"""Of a session: asked for and not begun; the rest of the time that one on a copy was away; its process' beginning until
its first step; steps that were committed, or may yet be; steps that were done twice, or are to be; what training waited
for saving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHours:
    """One session and its parts, in milliseconds: those of `PARTS`, some of them 0.

    `unfit` is how much of what it said of itself found no room between the store's times.
    """

    stay: Stay
    parts: Mapping[str, int]
    unfit: int = 0

    @property
    def whole(self) -> int:
        return sum(self.parts.values())

    @property
    def own(self) -> int:
        """Its own time, from its process' beginning on."""
        return self.whole - self.parts[QUEUE] - self.parts[AWAY]

    @property
    def took(self) -> int:
        """The same, whatever the store's times leave room for: of a session that reported, what it says itself."""
        return self.own + self.unfit

    def to_json(self) -> Json:
        stay = self.stay
        names = ("number", "backend", "host", "gpu", "device", "outcome", "why", "first", "last")
        return {**{name: getattr(stay, name) for name in names}, "parts_ms": dict(self.parts), "whole_ms": self.whole}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A run: `whole` is the sum of its sessions' parts and of `idle`, when none was asked for; milliseconds."""

    run: str
    whole: int
    idle: int
    sessions: tuple[SessionHours, ...]

    @property
    def unfit(self) -> int:
        """That of all sessions: much means that the store's times are not those of when entries were written, as in a
        copy of a store.
        """
        return sum(each.unfit for each in self.sessions)

    @property
    def parts(self) -> Mapping[str, int]:
        """Those of all sessions together."""
        return {name: sum(each.parts[name] for each in self.sessions) for name in PARTS}

    def to_json(self) -> Json:
        return {
            "whole_ms": self.whole,
            "parts_ms": {**self.parts, "idle": self.idle},
            "unfit_ms": self.unfit,
            "sessions": [each.to_json() for each in self.sessions],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inside:
    """A session's own time, from its process' beginning on: its parts, as it tells them, from `begin` to `end`."""

    stay: Stay
    begin: int
    end: int
    parts: Mapping[str, int]


def divide(stays: Stays) -> Hours:
    """Where the run's time went: each session's own time in the order of their leases, and what is between them."""
    insides = [_inside(stay, stays.until) for stay in stays.sessions if stay.leased is not None]
    insides.sort(key=lambda each: each.stay.lease_seq or 0)
    waits = [*_waits(stays, {each.stay.number: each.begin for each in insides})]
    parts = {stay.number: dict.fromkeys(PARTS, 0) for stay in stays.sessions}
    unfit: dict[int, int] = {}
    idle, at = 0, stays.created
    for each, following in itertools.zip_longest(insides, insides[1:]):
        most = stays.until if following is None else following.stay.leased or stays.until
        begin = min(max(each.begin, at), stays.until)
        end = max(min(each.end, most, stays.until), begin)
        idle += _between(at, begin, waits, parts)
        fitting, unfit[each.stay.number] = _fit(each.parts, end - begin)
        for name, much in fitting.items():
            parts[each.stay.number][name] += much
        at = end
    idle += _between(at, stays.until, waits, parts)
    return Hours(
        run=stays.run,
        whole=stays.until - stays.created,
        idle=idle,
        sessions=tuple(
            SessionHours(stay=stay, parts=parts[stay.number], unfit=unfit.get(stay.number, 0))
            for stay in stays.sessions
        ),
    )


def _inside(stay: Stay, until: int) -> _Inside:
    """What is known of a session that held the run, from what it said last of itself."""
    leased = stay.leased or 0
    training = stay.committed.get(TRAINING, 0)
    if stay.reported:
        said = stay.reported
        again = max(0, said.get(TRAINING, 0) - training) + said.get(AGAIN, 0)
        parts = {STARTING: said.get(STARTING, 0), USEFUL: training, AGAIN: again, SAVING: said.get(SAVING, 0)}
        end = stay.ended or until
        return _Inside(stay=stay, begin=max(stay.asked, end - sum(parts.values())), end=end, parts=parts)
    end = (stay.ended if stay.has_reported else stay.heard) or until
    parts = {STARTING: 0, USEFUL: 0, AGAIN: 0, SAVING: 0}
    if stay.committed:
        names = {STARTING: STARTING, TRAINING: USEFUL, AGAIN: AGAIN, SAVING: SAVING}
        parts |= {names[kind]: much for kind, much in stay.committed.items() if kind in names}
    elif stay.committed_at is not None and stay.restored is not None:  # of a version that did not say
        parts |= {STARTING: stay.restored - leased, USEFUL: stay.committed_at - stay.restored}
    else:
        parts[STARTING] = sum(stay.starting.values()) or (stay.restored or end) - leased
    begin = leased if stay.restored is None else stay.restored - sum(stay.starting.values())
    begin = max(stay.asked, min(begin, leased))
    rest = end - begin - sum(parts.values())
    untold = STARTING if stay.restored is None else USEFUL if stay.ended is None else AGAIN
    parts[untold] += max(0, rest)  # what one that goes on has not committed yet, it may still commit
    return _Inside(stay=stay, begin=begin, end=end, parts=parts)


def _fit(parts: Mapping[str, int], room: int) -> tuple[Mapping[str, int], int]:
    """The parts in the room that there is, and how much found none. What is too much is taken from the beginning."""
    fitting = dict(parts)
    lacking = excess = max(0, sum(parts.values()) - room)
    for name in (STARTING, SAVING, AGAIN, USEFUL):
        less = min(excess, fitting[name])
        fitting[name] -= less
        excess -= less
    fitting[STARTING] += room - sum(fitting.values())
    return fitting, lacking


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    """While a session was asked for and its process had not begun, as far as anybody can tell."""

    number: int
    part: str
    begin: int
    end: int


def _waits(stays: Stays, begun: Mapping[int, int]) -> Iterator[_Wait]:
    for stay in stays.sessions:
        end = begun.get(stay.number, stays.until if stay.ended is None else stay.ended)
        part = AWAY if stay.carried and stay.outcome != "refused" else QUEUE
        yield _Wait(number=stay.number, part=part, begin=stay.asked, end=end)


def _between(begin: int, end: int, waits: Sequence[_Wait], parts: Mapping[int, dict[str, int]]) -> int:
    """Give the time that nobody held the run to the newest session that was waited for; how much was nobody's."""
    edges = sorted({begin, end, *(at for wait in waits for at in (wait.begin, wait.end) if begin < at < end)})
    idle = 0
    for low, high in itertools.pairwise(edges):
        waiting = [wait for wait in waits if wait.begin <= low and high <= wait.end]
        if waiting:
            parts[waiting[-1].number][waiting[-1].part] += high - low
        else:
            idle += high - low
    return idle
