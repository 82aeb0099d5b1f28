"""What every backend touches besides its place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jobs.backends.answers import AGAIN
from jobs.refusals import Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Variables and time: tests put something else there. `wall_s` is the time of day, in Unix seconds."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    wall_s: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep

    def wait(self, has_ended: Callable[[], bool], what: str, most_s: float, every_s: float) -> None:
        """Look at once, and every so many seconds, until what was told to end has ended.

        Raises:
            Uncertain: it has not after `most_s`.
        """
        waited = 0.0
        while not has_ended():
            if waited >= most_s:
                raise Uncertain(f"{what} was told to end, and after {most_s:.0f} s it has not", hint=AGAIN)
            self.sleep(every_s)
            waited += every_s
