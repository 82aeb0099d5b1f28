"""What no plan can beat from where things stand: how soon the run can be done, and how cheaply.

A session that is not full has the same wait and start-up for less work, so no place gets further in any time than at
the pace of its full sessions, and none than the money lasts at the steps that a dollar buys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.planning.prospects import Prospect, Terms
from jobs.planning.sessions import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`free` and `fast` are steps a second, without and with what must be paid; `per_usd` steps for a dollar."""

    free: float
    fast: float
    per_usd: float
    terms: Terms

    @classmethod
    def of(cls, prospects: Sequence[Prospect], terms: Terms) -> Bounds:
        free = max((_pace(each) for each in prospects if each.usd_per_h <= 0.0), default=0.0)
        paid = [each for each in prospects if each.usd_per_h > 0.0]
        fast = max([free, *(_pace(each) for each in paid)])
        per_usd = max((each.rate.likely * 3600.0 / each.usd_per_h for each in paid), default=0.0)
        return cls(free=free, fast=fast, per_usd=per_usd, terms=terms)

    def end(self, now: Standing) -> float:
        """No plan that costs no more than it may ends earlier."""
        if self.terms.budget is None:
            bought = now.left
        else:
            bought = min(now.left, max(0.0, self.terms.budget - now.paid) * self.per_usd)
        quick = max(bought, now.left if self.free >= self.fast else 0.0)
        rest = now.left - quick
        if rest > 0.0 and self.free <= 0.0:
            return math.inf
        slow_s = rest / self.free if rest > 0.0 else 0.0
        return now.at + (quick / self.fast if quick > 0.0 else 0.0) + slow_s

    def usd(self, now: Standing) -> float:
        """No plan that ends by the deadline costs less."""
        if self.terms.deadline is None:
            return now.paid
        rest = now.left - max(0.0, self.terms.deadline - now.at) * self.free
        if rest <= 0.0:
            return now.paid
        return now.paid + rest / self.per_usd if self.per_usd > 0.0 else math.inf


def _pace(prospect: Prospect) -> float:
    """Steps a second over full sessions, their wait and start-up among them; of one without an end, while it trains."""
    lasts_s = prospect.lasts_s
    if math.isinf(lasts_s):
        return prospect.rate.likely
    trains_s = max(0.0, lasts_s - prospect.start_s)
    return prospect.rate.likely * trains_s / (prospect.wait_s.likely + lasts_s)
