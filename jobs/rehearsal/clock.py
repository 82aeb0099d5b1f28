"""The one time of a rehearsal: it moves only when everybody waits, and exactly one is ever at work.

Whoever waits hands a baton to whoever is due first. So what runs in threads runs in one order, the same each time,
and nothing is ever waited for.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class GoneError(BaseException):
    """The process that did this has been ended. Not an `Exception`: nothing that it does may hold it up."""


class Actor:
    """Somebody whose work takes time: a thread that is at work only while it has the baton."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.over = False
        self.waiters: list[Actor] = []
        self.due: Due | None = None
        self.baton = threading.Lock()
        self.baton.acquire()


@dataclass(order=True, slots=True)
class Due:
    """Something that happens at a time: an actor goes on, or a function is called that takes no time."""

    at: float
    order: int
    actor: Actor | None = field(compare=False, default=None)
    act: Callable[[], object] | None = field(compare=False, default=None)


class Clock:
    """Seconds from the beginning of the rehearsal. Whoever makes it is its first actor."""

    def __init__(self) -> None:
        self.now = 0.0
        self._main = Actor("main")
        self._running: Actor | None = self._main
        self._due: list[Due] = []
        self._orders = itertools.count()
        self._failure: BaseException | None = None
        self._actors: list[Actor] = []

    def sleep(self, seconds: float) -> None:
        """Let others work for so long.

        Raises:
            GoneError: the actor was ended meanwhile, or before.
        """
        me = self._at_work()
        self._wake(me, self.now + max(0.0, seconds))
        self._hand_over(me)

    def nap(self, seconds: float) -> None:
        """The same, but nothing in what takes no time: that asks again at once."""
        if self._running is not None:
            self.sleep(seconds)

    def begin(self, name: str, work: Callable[[], object]) -> Actor:
        """Somebody new, whose turn comes when those have worked who are due now."""
        actor = Actor(name)
        self._actors.append(actor)
        threading.Thread(target=self._live, args=(actor, work), name=name, daemon=True).start()
        self._wake(actor, self.now)
        return actor

    def wait(self, other: Actor, seconds: float | None) -> bool:
        """Wait up to so many seconds for the end of somebody's work: whether it has ended."""
        me = self._at_work()
        if not other.over and seconds != 0.0:
            other.waiters.append(me)
            if seconds is not None:
                self._wake(me, self.now + seconds)
            self._hand_over(me)
        return other.over

    def at(self, at: float, act: Callable[[], object]) -> Due:
        """Call a function at that time. It must take no time."""
        due = Due(at=max(at, self.now), order=next(self._orders), act=act)
        heapq.heappush(self._due, due)
        return due

    def every(self, seconds: float, act: Callable[[], object]) -> Callable[[], None]:
        """Call a function every so many seconds, until what is returned is called."""
        held: list[Due] = []

        def again() -> None:
            held[:] = [self.at(self.now + seconds, again)]
            act()

        held.append(self.at(self.now + seconds, again))
        return lambda: cancel(held[0])

    def end(self, actor: Actor) -> None:
        """End an actor where it waits. The one who is at work ends itself, by raising `GoneError`."""
        actor.dead = True
        if actor is not self._running and not actor.over:
            self._wake(actor, self.now)

    def fail(self, error: BaseException) -> None:
        """End the rehearsal with this error: its first actor is whose turn comes next, and raises it."""
        self._failure = self._failure or error

    def close(self) -> None:
        """End everybody. Nothing happens any more."""
        self._due.clear()
        for actor in self._actors:
            self.end(actor)
        self._failure = None
        while self._actors:
            with contextlib.suppress(Exception):  # what breaks in one who is being ended is no part of the rehearsal
                self.sleep(0.0)

    def _at_work(self) -> Actor:
        """Whoever is at work: not one who was ended, and nobody while a function is called that takes no time."""
        me = self._running
        if me is None:
            raise AssertionError("what takes no time has waited")
        if me.dead:
            raise GoneError
        return me

    def _live(self, actor: Actor, work: Callable[[], object]) -> None:
        actor.baton.acquire()
        try:
            if not actor.dead:
                work()
        except GoneError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to whoever called `run`
            self.fail(error)
        actor.over = True
        self._actors.remove(actor)
        for waiter in actor.waiters:
            self._wake(waiter, self.now)
        self._next().baton.release()

    def _wake(self, actor: Actor, at: float) -> None:
        """Have an actor go on at that time, and not when it was to before."""
        if actor.over:
            return
        actor.due = Due(at=at, order=next(self._orders), actor=actor)
        heapq.heappush(self._due, actor.due)

    def _hand_over(self, me: Actor) -> None:
        following = self._next()
        if following is not me:
            following.baton.release()
            me.baton.acquire()
        if me is self._main and self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if me.dead:
            raise GoneError

    def _next(self) -> Actor:
        """Let happen what is due, up to somebody's turn: whose. After a failure it is the first actor's."""
        while self._failure is None:
            due = heapq.heappop(self._due)
            actor = due.actor
            if actor is not None and actor.due is not due:
                continue  # it was woken before, or is to be later
            self.now = due.at
            if actor is not None:
                self._running = actor
                return actor
            self._happen(due)
        self._running = self._main
        return self._main

    def _happen(self, due: Due) -> None:
        act, due.act = due.act, None
        self._running = None
        try:
            if act is not None:
                act()
        except GoneError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to whoever called `run`
            self.fail(error)


def cancel(due: Due) -> None:
    due.act = None
