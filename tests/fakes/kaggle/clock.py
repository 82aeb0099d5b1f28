"""Kaggle's time, shortened: an hour of it takes as many seconds as a test can spare."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from tests.fakes.kaggle.rules import HOUR

SATURDAY = 5
WEEK, SOON = timedelta(days=7), timedelta(days=3)
TICK = 0.01


class Clock:
    """Seconds since the stand-in was started, as Kaggle counts them. It may run faster, and be put forward."""

    def __init__(self, *, seconds_per_hour: float, started: datetime | None = None) -> None:
        self._started = started or datetime.now(UTC)
        self._since = time.monotonic()
        self._before = 0.0
        self._seconds_per_hour = seconds_per_hour

    @property
    def seconds_per_hour(self) -> float:
        """How many real seconds an hour of Kaggle's takes."""
        return self._seconds_per_hour

    @seconds_per_hour.setter
    def seconds_per_hour(self, value: float) -> None:
        self._before, self._since = self.now(), time.monotonic()
        self._seconds_per_hour = value

    def now(self) -> float:
        return self._before + (time.monotonic() - self._since) * HOUR / self._seconds_per_hour

    def skip(self, *, hours: float) -> None:
        """Be so much later at once."""
        self._before += hours * HOUR

    def moment(self, now: float | None = None) -> datetime:
        return self._started + timedelta(seconds=self.now() if now is None else now)

    def week(self) -> tuple[datetime, datetime]:
        """The first and the last moment of the quota's week.

        None ends soon after the stand-in was started: that one is twice as long. What a test finds is not a matter of
        the day it runs on, and time goes fast in here.
        """
        first, last = week_of(self.moment())
        _, end = week_of(self._started)
        if end - self._started < SOON:
            return (first if first != end else first - WEEK), (last if last != end else last + WEEK)
        return first, last

    def seconds(self, moment: datetime) -> float:
        return (moment - self._started).total_seconds()

    def wait_until(self, when: float, woken: threading.Event) -> bool:
        """Whether `woken` was set before `when`. Reads the clock again and again: it may be put forward."""
        while self.now() < when:
            if woken.wait(TICK):
                return True
        return woken.is_set()


def week_of(moment: datetime) -> tuple[datetime, datetime]:
    """The first and the last moment of a quota's week, which begins on Saturday at 00:00 UTC [D]."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=(midnight.weekday() - SATURDAY) % 7)
    return first, first + WEEK
