"""Exploring every history of a few processes, depth first.

**What a state is.** The store's content, where each process stands in its tree of answers (`place`), the
puts that may still land, and how many faults may still be injected. Time is no part of it: nothing that is
explored compares clocks, and a watch is only a number of sleeps, between which the others do as much or as
little as they like; so a frozen process is one that is not chosen for a while, and a thawed one is one that is.

**Which steps there are.** From a state every living process may take its next operation; with faults left, it
may also crash before it (and so after the one before), its answer may be lost (the operation happened, or, for a
read, did not), or it may be told so of a write that then lands at any later moment, or never.

**Why nothing is left out.** All steps of every state are taken, except where one process' next operation
commutes with all that others can do before it (`Contents.is_private`): then only that process' steps are taken, and
every history left out equals one that is taken, with the same faults in the same processes. No history goes round in
circles (a state that follows from itself is a finding), so every history ends, and nobody is put off for ever. A
state seen before is not entered again: what can follow depends on nothing but the state. Twins, two processes that
run the same program and were answered the same and wrote nothing, may swap names: only the first of them is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from tests.interleaving.ending import require_good_end
from tests.interleaving.line import (
    Line,
    require_acknowledged,
    require_own_place,
    require_right_exit,
    require_watched,
)
from tests.interleaving.place import Place, Process
from tests.interleaving.program import created, toy_experiment
from tests.interleaving.world import LEDGER, LOST, Answer, Contents, Op, Program, Violation

GONE = -1  # crashed or ended: it never asks again


class Faults(NamedTuple):
    """How many of each kind may still be injected into one history."""

    crash: int = 0
    lost: int = 0
    late: int = 0


NO_FAULTS = Faults()


class State(NamedTuple):
    content: int
    places: tuple[int, ...]
    late: tuple[tuple[int, Op], ...]
    left: Faults


class Step(NamedTuple):
    """One move of the world: who, what, and with which fault."""

    who: int
    what: str
    op: Op | None


Steps: TypeAlias = list[tuple[Step, State]]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A run of so many steps, and the processes that meet in it.

    `twins` run the same program. `reduced` off takes every step of every state, which is how a test shows that the
    reduction changes nothing.
    """

    name: str
    programs: Mapping[str, Program]
    steps: int = 2
    submitted: bool = False
    faults: Faults = NO_FAULTS
    twins: Sequence[str] = ()
    looks: int = 1
    keep: int = 5
    reduced: bool = True
    merged: bool = True
    every_end: bool = True


@dataclass(kw_only=True)
class Explored:
    """What was explored: `histories` counts every order of operations and faults, `states` each state once.

    `faults` and `codes` count steps between states, each of which stands for all histories that lead over it.
    """

    name: str
    states: int = 0
    histories: int = 0
    contents: int = 0
    ends: set[int] = field(default_factory=set)
    ledgers: set[tuple[bytes, ...]] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        injected = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.faults.items())) or "none"
        ended = ", ".join(f"{count:,} {how}" for how, count in sorted(self.codes.items()))
        return (
            f"{self.name}: {self.histories:.3g} histories over {self.states:,} states, {len(self.ends):,} ends; "
            f"faults injected: {injected}; sessions ended: {ended}"
        )


@dataclass
class _Visit:
    """A state on the way down, and which of its steps is being followed."""

    state: State
    steps: Steps
    at: int = 0
    histories: int = 0


class Explorer:
    """One exploration of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        first = created(toy_experiment(scenario.steps, scenario.keep), submitted=scenario.submitted)
        self.contents = Contents(first, deletes=scenario.keep < scenario.steps)
        self.names = list(scenario.programs)
        self.processes = [Process(name, program, merged=scenario.merged) for name, program in scenario.programs.items()]
        self.found = Explored(name=scenario.name)
        self._lines: dict[int, Line] = {}
        self._tails: dict[bytes, Line] = {}
        self._twins = {self.names.index(name) for name in scenario.twins}

    def explore(self) -> Explored:
        """Every history.

        Raises:
            Violation: a promise is broken; the message holds the history that breaks it.
        """
        first = State(self.contents.first, tuple(0 for _ in self.processes), (), self.scenario.faults)
        seen: dict[State, int | None] = {}
        trail: list[_Visit] = []
        try:
            self._enter(first, trail, seen)
            while trail:
                self._go_on(trail, seen)
        except Violation as violation:
            raise Violation(f"{violation}\n{self._told(trail)}") from violation
        self.found.states, self.found.contents = len(seen), len(self.contents)
        self.found.histories = seen[first] or 0
        return self.found

    def _enter(self, state: State, trail: list[_Visit], seen: dict[State, int | None]) -> None:
        seen[state] = None  # not known before it is left
        trail.append(_Visit(state, self._steps(state)))

    def _go_on(self, trail: list[_Visit], seen: dict[State, int | None]) -> None:
        """Follow the next step of the newest visit, or leave it when it has none left."""
        visit = trail[-1]
        if visit.at == len(visit.steps):
            seen[visit.state] = visit.histories + self._ended(visit.state)
            trail.pop()
            return
        state = visit.steps[visit.at][1]
        if state not in seen:
            self._enter(state, trail, seen)
            return
        histories = seen[state]
        if histories is None:
            raise Violation("this goes round in circles")
        visit.histories += histories
        visit.at += 1

    def _ended(self, state: State) -> int:
        """1 for a history that may end here: everybody is gone, and what is late never lands."""
        if any(place != GONE for place in state.places):
            return 0
        if state.content not in self.found.ends:
            self.found.ends.add(state.content)
            objects = self.contents.objects(state.content)
            self.found.ledgers.add(tuple(data for key, data in sorted(objects.items()) if key.startswith(LEDGER)))
            if self.scenario.every_end:
                require_good_end(objects)
        return 1

    def _steps(self, state: State) -> Steps:
        if self.scenario.reduced:
            for who in self._movers(state):
                op = self._place(state, who).op
                assert op is not None
                if self.contents.is_private(state.content, op):
                    return self._moves(state, who, op, private=True)
        steps: Steps = []
        for who in self._movers(state):
            op = self._place(state, who).op
            assert op is not None
            steps += self._moves(state, who, op, private=False)
        steps += self._landings(state)
        return steps

    def _movers(self, state: State) -> Iterator[int]:
        """Living processes, less those whose twin may move in their stead."""
        passed: list[Place] = []
        for who, at in enumerate(state.places):
            if at == GONE:
                continue
            place = self.processes[who].places[at]
            if who in self._twins:
                if any(_are_twins(place, other) for other in passed):
                    continue
                passed.append(place)
            yield who

    def _place(self, state: State, who: int) -> Place:
        return self.processes[who].places[state.places[who]]

    def _moves(self, state: State, who: int, op: Op, *, private: bool) -> Steps:
        """Everything that may become of a process' next operation.

        A crash before a private one is left out, because to all others it is one before the next that is not; and a
        private write that lands late, because nobody reads it by then or it is what stands there anyway.
        """
        content, answer = self.contents.apply(state.content, op)
        steps = [self._moved(state, Step(who, "", op), content, answer)]
        left = state.left
        if left.lost and op.verb not in {"sleep", "pause"}:
            less = state._replace(left=left._replace(lost=left.lost - 1))
            steps.append(self._moved(less, Step(who, "lost", op), content, LOST))
        if left.late and op.is_write and content != state.content:
            late = state.late if private else tuple(sorted((*state.late, (who, op))))
            less = state._replace(late=late, left=left._replace(late=left.late - 1))
            steps.append(self._moved(less, Step(who, "late", op), state.content, LOST))
        if left.crash and not private:
            less = state._replace(left=left._replace(crash=left.crash - 1))
            steps.append((Step(who, "crash", None), _with(less, who, GONE)))
            self.found.faults["crash"] += 1
        return steps

    def _moved(self, state: State, step: Step, content: int, answer: Answer) -> tuple[Step, State]:
        """The state after a process was answered; everything that can be checked then is."""
        assert step.op is not None
        process, before = self.processes[step.who], self._place(state, step.who)
        if step.what:
            self.found.faults[step.what] += 1
        try:
            if step.op.is_write:
                self._check_write(state.content, before)
            line = self._line(content)
            place, words = process.after(before, answer)
            for holder, said in words:
                require_acknowledged(line, holder, said)
            after = state._replace(content=content, late=self._still_late(content, state.late))
            if place.op is None:
                self._check_exit(line, place)
                return step, _with(after, step.who, GONE)
        except Violation as violation:
            raise Violation(f"{violation}\nat the step: {self._tell(step)}") from violation
        return step, _with(after, step.who, place.number)

    def _check_write(self, content: int, place: Place) -> None:
        """Before a write takes effect, also for one that lands late: on the same ledger, or without effect."""
        assert place.op is not None
        line = self._line(content)
        require_own_place(line, place.holder, place.op)
        is_new = place.op.is_append and place.op.key not in self.contents.objects(content)
        if is_new and b'"kind":"lease"' in place.op.data:
            require_watched(line, place)

    def _check_exit(self, line: Line, place: Place) -> None:
        require_right_exit(line, place)
        self.found.codes[f"{place.code:d}"] += 1

    def _landings(self, state: State) -> Steps:
        """A late put lands: now, whatever happened since it was given up."""
        steps: Steps = []
        for item in dict.fromkeys(state.late):
            who, op = item
            content, _ = self.contents.apply(state.content, op)
            rest = list(state.late)
            rest.remove(item)
            self._line(content)
            landed = state._replace(content=content, late=self._still_late(content, tuple(rest)))
            steps.append((Step(who, "lands", op), landed))
            self.found.faults["landed"] += 1
        return steps

    def _still_late(self, content: int, late: tuple[tuple[int, Op], ...]) -> tuple[tuple[int, Op], ...]:
        """Less those that create what exists by now: they will never change anything."""
        objects = self.contents.objects(content)
        return tuple(item for item in late if item[1].verb != "put_new" or item[1].key not in objects)

    def _line(self, content: int) -> Line:
        if content not in self._lines:
            objects = self.contents.objects(content)
            entries = [data for key, data in sorted(objects.items()) if key.startswith(LEDGER)]
            self._lines[content] = self._line_of(entries)
        return self._lines[content]

    def _line_of(self, entries: list[bytes]) -> Line:
        if not entries:
            return Line()
        if entries[-1] not in self._tails:  # an entry holds the hash of the one before: it stands for all
            self._tails[entries[-1]] = self._line_of(entries[:-1]).follow(entries[-1])
        return self._tails[entries[-1]]

    def _told(self, trail: Sequence[_Visit]) -> str:
        steps = [visit.steps[visit.at][0] for visit in trail if visit.at < len(visit.steps)]
        return "\n".join(self._tell(step) for step in steps)

    def _tell(self, step: Step) -> str:
        words = (self.names[step.who], str(step.op or ""), step.what)
        return "  ".join(word for word in words if word)


def _with(state: State, who: int, at: int) -> State:
    places = state.places
    return state._replace(places=(*places[:who], at, *places[who + 1 :]))


def _are_twins(one: Place, other: Place) -> bool:
    """Whether two processes of one program were answered the same and wrote nothing: they may swap names."""
    if one.depth != other.depth or one.wrote or other.wrote:
        return False
    return [answer for _, answer in one.path()] == [answer for _, answer in other.path()]
