"""The end of a session whose time to stop is used up: by itself, before whoever stops it kills it.

A session that is asked to stop commits, reports and ends within its grace. Where the storage does not answer, any of
these may wait for a thread that asks on, for minutes. Nothing is lost by leaving it: killed anywhere, the run is what
its ledger says, and what is committed stands. But a process that ends by itself says that it was interrupted, while one
that is killed may as well have run out of memory.
"""

from __future__ import annotations

from collections.abc import Callable

from facegan.errors import SessionExit
from facegan.stopping import StopSignal

LATE_S = 4.0  # for the report, after the last checkpoint; less than anybody adds to the grace before they kill
LOOK_EVERY_S = 0.5


class Deadline:
    """`look`, called every so often, notes when a stop was given a grace, and calls `abandon` when that is used up."""

    def __init__(
        self,
        stop: StopSignal,
        clock: Callable[[], float],
        abandon: Callable[[SessionExit], object],
        say: Callable[[str], object],
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._abandon = abandon
        self._say = say
        self._until: float | None = None

    def look(self) -> None:
        cause = self._stop.cause
        if self._until is None:
            if cause is not None and cause.grace_s is not None:
                self._until = self._clock() + cause.grace_s + LATE_S
        elif self._clock() >= self._until:
            self._say("the time to stop is used up: what is committed stands")
            self._abandon(SessionExit.INTERRUPTED)
