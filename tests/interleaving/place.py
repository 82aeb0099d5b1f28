"""Processes as trees of what they were answered.

Processes of a run meet in the store and nowhere else. So a process is a function of the answers it got: after the
same answers it stands at the same place and asks the same next thing. That is what `Process` keeps: places, and the
answers that lead from one to the next. The real code runs, in a greenlet, once for every step between two places;
global states are then cheap, because they only combine places with one of the store's contents. A place whose
greenlet is gone is reached again by answering from the start, and a process that asks something else the second
time is refused: the whole argument rests on it.
"""

from __future__ import annotations

from typing import NamedTuple

from greenlet import greenlet

from facegan import lease
from tests.interleaving.standing import standing
from tests.interleaving.world import Answer, Desk, Op, Program, Silence, Violation, told

LONGEST = 600  # questions of one process in one history: beyond that it would never end
LIVE = 4000  # places whose greenlet is kept


class Window(NamedTuple):
    """What a process looked at from one sleep to the next: the newest entry it knew when the sleep began, and, by
    heartbeat, the last answer and whether it had changed within the window."""

    known: int
    beats: tuple[tuple[str, Answer, bool], ...] = ()

    def seeing(self, key: str, answer: Answer) -> Window:
        same = all(before == answer and not moved for name, before, moved in self.beats if name == key)
        others = (beat for beat in self.beats if beat[0] != key)
        return self._replace(beats=tuple(sorted((*others, (key, answer, not same)), key=lambda beat: beat[0])))


class Place:
    """Where a process stands: what it asks next, or how it ended.

    `before` and `answer` are one way to get here. `holder` is who it is by now, `wrote` whether it ever wrote
    anything, `silent` whether an answer was ever lost on it and not asked for again, `known` the newest entry it
    was told of, `windows` its last looks. Places of equal `likeness` cannot be told apart.
    """

    __slots__ = (
        "answer",
        "before",
        "code",
        "depth",
        "holder",
        "known",
        "likeness",
        "live",
        "next",
        "number",
        "op",
        "silent",
        "windows",
        "wrote",
    )

    def __init__(self, before: Place | None, answer: Answer) -> None:
        self.number = -1
        self.before, self.answer = before, answer
        self.depth: int = 0
        self.silent = self.wrote = False
        self.known = -1
        self.windows: tuple[Window, ...] = (Window(-1),)
        self.next: dict[tuple[type, Answer], Arrival] = {}
        self.op: Op | None = None
        self.code: object = None
        self.holder = ""
        self.likeness: object = None
        self.live: Live | None = None
        if before:
            self._learn(before, answer)

    def _learn(self, before: Place, answer: Answer) -> None:
        op = before.op
        assert op is not None
        self.depth = before.depth + 1
        self.silent = before.silent or isinstance(answer, Silence)
        self.wrote = before.wrote or op.is_write
        self.known = max(before.known, told(op, answer))
        self.windows = before.windows
        if op.verb == "sleep" and self.windows:
            self.windows = (*before.windows[-lease.LOOKS :], Window(self.known))
        elif (
            self.windows and op.verb == "get" and op.key.endswith("heartbeat.json") and not isinstance(answer, Silence)
        ):
            self.windows = (*self.windows[:-1], self.windows[-1].seeing(op.key, answer))
        elif op.is_write and not op.is_append:
            self.windows = ()  # it holds the run, and watches nobody any more

    def path(self) -> list[tuple[Op, Answer]]:
        """One history that leads here: every question and its answer, the first first."""
        found: list[tuple[Op, Answer]] = []
        place = self
        while place.before is not None:
            assert place.before.op is not None
            found.append((place.before.op, place.answer))
            place = place.before
        return found[::-1]


class Arrival(NamedTuple):
    """Where an answer leads, and what was said on the way, by whom."""

    place: Place
    said: tuple[tuple[str, str], ...]


class Live(NamedTuple):
    process: greenlet
    desk: Desk


class Process:
    """One process: a name, its program, and the places it can be at.

    With `merged`, places that cannot be told apart (`standing`) are one; without, every local history has its own.
    """

    def __init__(self, name: str, program: Program, *, merged: bool = True) -> None:
        self.name = name
        self.places: list[Place] = []
        self._program = program
        self._merged = merged
        self._kept: dict[Place, None] = {}
        self._known: dict[object, Place] = {}
        self.start = self._arrive(Place(None, None), *self._begin()).place

    def after(self, place: Place, answer: Answer) -> Arrival:
        """Where the process stands once its question was answered so."""
        key = (type(answer), answer)  # False is no 0, and () no None
        if key not in place.next:
            live, place.live = place.live or self._again(place), None
            self._kept.pop(place, None)
            found = Place(place, answer)
            if found.depth > LONGEST:
                raise Violation(f"{self.name} does not come to an end: {found.path()[-20:]}")
            live.desk.said.clear()
            place.next[key] = self._arrive(found, live, live.process.switch(answer))
        return place.next[key]

    def _begin(self) -> tuple[Live, object]:
        live = Live(greenlet(_run), Desk(self.name))
        return live, live.process.switch(self._program, live.desk)

    def _again(self, place: Place) -> Live:
        """Answer from the start, as before."""
        live, asked = self._begin()
        for op, answer in place.path():
            if asked != op:
                raise Violation(f"{self.name} asks {asked}, and asked {op} when it was answered the same before")
            asked = live.process.switch(answer)
        return live

    def _arrive(self, place: Place, live: Live, asked: object) -> Arrival:
        """The place itself, or the one that it is the same as."""
        if live.desk.patient:
            place.silent = False  # it asked again, so no lost answer ever reached it
        said = tuple(live.desk.said)
        live.desk.said.clear()
        place.holder = live.desk.holder
        if live.process.dead:
            place.code = asked
            return Arrival(self._numbered(place), said)
        assert isinstance(asked, Op)
        place.op = asked
        facts = (place.op, place.holder, place.silent, place.wrote, place.known, place.windows)
        place.likeness = (facts, standing(live.process))
        same = self._known.setdefault(place.likeness, place) if self._merged else place
        if same is not place:
            return Arrival(same, said)
        self._keep(place, live)
        return Arrival(self._numbered(place), said)

    def _numbered(self, place: Place) -> Place:
        place.number = len(self.places)
        self.places.append(place)
        return place

    def _keep(self, place: Place, live: Live) -> None:
        place.live = live
        self._kept[place] = None
        if len(self._kept) > LIVE:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            oldest.live = None


def _run(program: Program, desk: Desk) -> object:
    """The first frame of a process: nothing of the explorer is to be reached from it."""
    try:
        return program(desk)
    except Exception as error:  # noqa: BLE001 - whatever comes out of a session is a finding
        return error
