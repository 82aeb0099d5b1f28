"""What places allow in a rehearsal: caps, quotas, waits, prices and how often they take a session away.

Prices, caps, Kaggle's quota, waits and how often a session is refused or lost are those of the dated tables. Everything
else is assumed, in round numbers, so that a week looks like one: no account was ever asked, and no GPU was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from facegan.errors import BadInputError
from jobs.backends import waiting
from jobs.backends.colab import facts as colab
from jobs.backends.kaggle import facts as kaggle

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """`of_s` seconds that begin anew at `first_s` and each `period_s` after it. `told`: whether one can ask for it."""

    of_s: float
    first_s: float
    period_s: float
    told: bool

    def period(self, now: float) -> int:
        """In which of its periods this time is; 0 is the one before the first reset."""
        return int((now - self.first_s) // self.period_s) + 1

    def resets_at(self, now: float) -> float:
        return self.first_s + self.period(now) * self.period_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A place. `speeds` are its GPUs, each with its steps for one of a T4. A session waits `wait_s` to begin: from the
    least to the most, and most likely for the one in the middle.

    It lasts `cap_s` at most, and is taken away after `life_s` on an average, `notice_s` after it was told so, if it
    is told. `crowded` is how often there is no room.
    """

    speeds: Mapping[str, float]
    wait_s: tuple[float, float, float] = (60.0, 120.0, 300.0)
    cap_s: float | None = None
    quota: Quota | None = None
    life_s: float | None = None
    notice_s: float | None = None
    crowded: float = 0.0


def _at(name: str, here: Terms) -> Terms:
    """The place, with its waits, losses and refusals as the table has them that plans are made from."""
    table = waiting.of(name)
    lost_per_h = table.taken_per_h + table.fails_per_h
    life_s = HOUR_S / lost_per_h if lost_per_h else None
    return replace(here, wait_s=(table.low, table.likely, table.high), life_s=life_s, crowded=table.crowded)


_HERE = {
    "local": Terms(speeds={"T4": 1.0}),
    "docker": Terms(speeds={"T4": 1.0}),
    "kaggle": Terms(
        speeds={"T4": 1.0},
        cap_s=kaggle.SESSION_S.value,
        quota=Quota(of_s=kaggle.GPU_WEEK_S.value, first_s=5 * DAY_S, period_s=WEEK_S, told=True),
    ),
    "colab": Terms(
        speeds={"T4": 1.0, "L4": 2.0},
        cap_s=colab.SESSION_S.value,
        quota=Quota(of_s=4 * HOUR_S, first_s=DAY_S, period_s=DAY_S, told=False),
    ),
    "ec2": Terms(speeds={"T4": 1.0, "L4": 2.0, "A10G": 2.5}, notice_s=120.0),
    "gce": Terms(speeds={"T4": 1.0, "L4": 2.0}, notice_s=30.0),
}

TERMS: Mapping[str, Terms] = MappingProxyType({name: _at(name, here) for name, here in _HERE.items()})


def of(name: str) -> Terms:
    """The terms of that backend.

    Raises:
        BadInputError: nothing is assumed of it.
    """
    if name not in TERMS:
        raise BadInputError(f'"{name}" cannot be rehearsed', hint=f"these can: {', '.join(TERMS)}")
    return TERMS[name]
