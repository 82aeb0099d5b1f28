"""Progress of long work: one line that takes the place of the one before it."""

from __future__ import annotations

import sys
from collections.abc import Callable

MARK = "\r"  # begins a line of standard error that is progress, for the command that started this process


def show(text: str) -> None:
    """Say how far the work is, to a person or to the command that watches."""
    sys.stderr.write(f"{MARK}{text}\n")
    sys.stderr.flush()


class Seldom:
    """Passes on what is said at most every so many seconds: for an output in which every line stays."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float], every_s: float) -> None:
        self._say = say
        self._clock = clock
        self._every_s = every_s
        self._next = clock()

    def __call__(self, text: str) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + self._every_s
            self._say(text)
