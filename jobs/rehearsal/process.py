"""A process of a rehearsal: it can be ended anywhere, and asks nothing more after that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from jobs.rehearsal.clock import Actor, Clock, GoneError

T = TypeVar("T")


@dataclass(kw_only=True, eq=False)
class Process:
    """`dies_at` is the operation of it that is its last, counted from 0; that is done first if `torn`."""

    clock: Clock
    name: str
    dies_at: int | None = None
    torn: bool = False
    dead: bool = False
    operations: int = 0
    ended: Callable[[str], object] = lambda _why: None
    _actors: list[Actor] = field(default_factory=list)
    _rests: list[Callable[[], None]] = field(default_factory=list)

    def begin(self, work: Callable[[], object]) -> Actor:
        actor = self.clock.begin(self.name, work)
        self._actors.append(actor)
        return actor

    def every(self, seconds: float, act: Callable[[], None]) -> Callable[[], None]:
        rest = self.clock.every(seconds, act)
        self._rests.append(rest)
        return rest

    def kill(self, why: str) -> None:
        """End it where it is, whoever does so."""
        if self.dead:
            return
        self.dead = True
        for rest in self._rests:
            rest()
        for actor in self._actors:
            self.clock.end(actor)
        self.ended(why)

    def meet(self, act: Callable[[], T]) -> T:
        """Do something that others can see, unless the process is ended before it, or at it."""
        if self.dead:
            raise GoneError
        number, self.operations = self.operations, self.operations + 1
        if number != self.dies_at:
            return act()
        if self.torn:
            act()
        self.kill("it was killed")
        raise GoneError
