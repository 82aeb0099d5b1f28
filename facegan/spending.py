"""What a run's sessions cost: each one's hours times the price that its `intent` says; a pure function.

By the store's clock. A session is counted from when it was launched until it ended; one that could not say so itself,
until it was found to be gone, but no longer than it may hang: its own watchdog ends it, and its machine with it.
Where waiting costs nothing, it is counted from its lease. One that has not begun counts to now. The price is what was
believed when it was asked for, and is history.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from facegan.experiment import Json
from facegan.hours.stays import Stay

HOUR_MS = 3_600_000
ENDING_MS = 300_000
"""How long a machine may be there after its session was ended by its watchdog."""

WAITS_FOR_NOTHING = frozenset({"batch"})
"""Backends whose jobs wait in a queue, for hours maybe, before there is a machine to pay for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One session: `ms` milliseconds at `usd_h` dollars an hour, `None` where its price is not known."""

    number: int
    ms: int
    usd_h: float | None

    @property
    def usd(self) -> float | None:
        return None if self.usd_h is None else self.ms / HOUR_MS * self.usd_h

    def to_json(self) -> Json:
        return {"session": self.number, "hours": self.ms / HOUR_MS, "usd_h": self.usd_h, "usd": self.usd}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """All sessions. `usd` is what those of known price cost; time at an unknown price is never counted as free."""

    costs: tuple[Cost, ...] = ()

    @property
    def ms(self) -> int:
        return sum(each.ms for each in self.costs)

    @property
    def hours(self) -> float:
        return self.ms / HOUR_MS

    @property
    def usd(self) -> float:
        return sum(each.usd or 0.0 for each in self.costs)

    @property
    def unknown_hours(self) -> float:
        return sum(each.ms for each in self.costs if each.usd_h is None) / HOUR_MS

    def usd_at_least(self, usd_h: float | None) -> float | None:
        """What all of it cost, with this price for what has none; `None` if that is not known either."""
        unknown = self.unknown_hours
        if unknown and usd_h is None:
            return None
        return self.usd + unknown * (usd_h or 0.0)

    def to_json(self) -> Json:
        return {
            "usd": self.usd,
            "hours": self.hours,
            "unknown_hours": self.unknown_hours,
            "sessions": [each.to_json() for each in self.costs],
        }

    def __str__(self) -> str:
        unknown = self.unknown_hours
        if not self.usd:
            none = f"nothing, in {self.hours:.1f} h"
            return f"not known: {unknown:.1f} h at a price that is not known" if unknown else none
        said = f"{self.usd:.2f} USD in {self.hours:.1f} h"
        return f"{said}, and {unknown:.1f} h of them at a price that is not known" if unknown else said


def spending(stays: Iterable[Stay], limits: Mapping[int, float] | None = None, now_s: float = 0.0) -> Spending:
    """What the run has cost so far. Sessions that have not ended may go on for their `limits`, seconds by number.

    `now_s` is the time of day in Unix seconds; it is never before the newest that the store tells.
    """
    return Spending(costs=tuple(_costs(tuple(stays), limits or {}, round(now_s * 1000))))


def _costs(stays: Sequence[Stay], limits: Mapping[int, float], now: int) -> Iterable[Cost]:
    until = max([now, *(at for stay in stays for at in _moments(stay))])
    for stay in stays:
        if stay.outcome == "refused":  # no machine was made
            continue
        said = (stay.price or {}).get("usd_h")
        ms = max(_ms(stay, until), round(limits.get(stay.number, 0.0) * 1000))
        yield Cost(number=stay.number, ms=ms, usd_h=None if said is None else float(said))


def _moments(stay: Stay) -> Iterable[int]:
    moments = (stay.asked, stay.launched, stay.leased, stay.heard, stay.ended)
    return (at for at in moments if at is not None)


def _ms(stay: Stay, until: int) -> int:
    begin = stay.asked if stay.launched is None else stay.launched
    end = until if stay.ended is None else stay.ended
    if stay.backend in WAITS_FOR_NOTHING:
        if stay.leased is None:
            return 0
        begin = stay.leased
    if stay.leased is not None and not stay.has_reported:
        end = min(end, (stay.heard or stay.leased) + stay.stall + ENDING_MS)
    return max(0, end - begin)
