"""What a run is expected to take and to cost, before it is started: from what was measured, or it is not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from facegan.experiment import Experiment, Json
from facegan.length import duration
from jobs import rates
from jobs.budget import Budget
from jobs.context import Context
from jobs.orders import Place
from jobs.planning.prospects import Estimate
from jobs.prices import OWN, Price
from jobs.supervision import experience

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """`steps` at a place, at this price. `rate` is steps a second, and `known` how that is known; `None` if it is not.

    Training alone is counted: neither waiting nor what is done twice.
    """

    price: Price
    steps: int
    budget: Budget
    rate: Estimate | None = None
    known: str = ""

    @property
    def hours(self) -> Estimate | None:
        """How long the training takes."""
        if self.rate is None:
            return None
        likely, low, high = (self.steps / each / HOUR_S for each in (self.rate.likely, self.rate.high, self.rate.low))
        return Estimate(likely=likely, low=low, high=high)

    @property
    def usd(self) -> Estimate | None:
        """What that costs."""
        hours, usd_h = self.hours, self.price.usd_h
        if hours is None or usd_h is None:
            return None
        return Estimate(likely=hours.likely * usd_h, low=hours.low * usd_h, high=hours.high * usd_h)

    def to_json(self) -> Json:
        return {
            "price": self.price.to_json(),
            "steps": self.steps,
            "steps_per_s": None if self.rate is None else self.rate.likely,
            "known": self.known or None,
            "hours": _json(self.hours),
            "usd": _json(self.usd),
            "budget": self.budget.to_json(),
        }

    def words(self) -> Iterator[str]:
        """What a user is told before a session is asked for; nothing of their own machine."""
        if self.price.market == OWN:
            return
        yield f"price: {self.price}"
        hours, usd = self.hours, self.usd
        if hours is None or self.rate is None:
            yield "time and total are not known: nobody has measured how fast this is there"
            return
        spread = f"{duration(hours.low * HOUR_S)} to {duration(hours.high * HOUR_S)}"
        took = (
            f"about {duration(hours.likely * HOUR_S)} ({spread}) at {self.rate.likely:.3g} steps a second, {self.known}"
        )
        if self.price.usd_h == 0.0:
            yield f"time: {took}"
        elif usd is None:
            yield f"time: {took}; the total is not known"
        else:
            yield f"time: {took}"
            most = "at most " if self.price.most else ""
            spread = f"{usd.low:.2f} to {usd.high:.2f}"
            yield f"total: {most}about {usd.likely:.2f} USD ({spread}), without waiting and losses"
        if usd is not None and self.budget.usd is not None and usd.likely > self.budget.usd:
            yield f"warning: the budget of {self.budget.usd:g} USD will most likely not do"


def foresee(context: Context, where: Place, chosen: Experiment, steps: int) -> Foreseen:
    """What so many steps of this experiment take and cost there. Reads the ledgers of the user's newest runs.

    Of a machine of the user's own nothing is asked.
    """
    price = where.price or Price(usd_h=None, market="")
    seen = Foreseen(price=price, steps=steps, budget=where.budget)
    if price.market == OWN:
        return seen
    name, work = where.backend.name, experience.work(chosen)
    rated = experience.rates(experience.read(context), work, name, where.gpu) or rates.rate(chosen, where.gpu)
    if rated is None:
        return seen
    return Foreseen(price=price, steps=steps, budget=where.budget, rate=rated[0], known=rated[1])


def _json(estimate: Estimate | None) -> Json | None:
    return None if estimate is None else {"likely": estimate.likely, "low": estimate.low, "high": estimate.high}
