"""What a run may cost, and what that leaves for its next session: pure, so that it holds wherever it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.experiment import Json
from facegan.spending import Spending

LEAST_S = 1200.0
"""The shortest session that is worth a start: a machine boots, its image is pulled, TensorFlow begins."""

FREE_LEAST_S = 300.0
"""The same where nothing is paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that a run may cost in all its sessions: `usd` dollars, `hours` of sessions; `None` for any amount.

    `usd_h` is what the user says an hour costs where it is asked for; `None` leaves that to the table.
    """

    usd: float | None = None
    hours: float | None = None
    usd_h: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing is limited."""
        return self.usd is None and self.hours is None

    def or_else(self, remembered: Budget) -> Budget:
        """This, and what it does not say as it is remembered."""
        return Budget(
            usd=remembered.usd if self.usd is None else self.usd,
            hours=remembered.hours if self.hours is None else self.hours,
            usd_h=remembered.usd_h if self.usd_h is None else self.usd_h,
        )

    def over(self, spent: Spending) -> str | None:
        """Why nothing more may be started anywhere, if so."""
        if self.hours is not None and spent.hours >= self.hours:
            return f"its sessions took {spent.hours:.1f} h, and {self.hours:g} h are allowed"
        if self.usd is None:
            return None
        cost = spent.usd_at_least(self.usd_h)
        if cost is None:
            return f"what {spent.unknown_hours:.1f} h of its sessions cost is not known, so no budget can be kept"
        if cost >= self.usd:
            return f"it has cost {cost:.2f} USD, and {self.usd:g} USD are allowed"
        return None

    def left_s(self, spent: Spending, usd_h: float | None) -> float | None:
        """How long the next session may take, at `usd_h` dollars an hour, in seconds; `None` for as long as it likes.

        Never negative, and never so long that the sum of all sessions would cost or take more than is allowed.
        0 where that cannot be known.
        """
        limits = []
        if self.hours is not None:
            limits.append((self.hours - spent.hours) * 3600.0)
        if self.usd is not None:
            cost = spent.usd_at_least(self.usd_h)
            if cost is None or usd_h is None:
                limits.append(0.0)
            elif usd_h > 0.0:
                limits.append((self.usd - cost) / usd_h * 3600.0)
            elif cost >= self.usd:
                limits.append(0.0)
        return max(0.0, min(limits)) if limits else None

    def refuses(self, spent: Spending, usd_h: float | None) -> str | None:
        """Why no session can be started at that price, if so."""
        if (why := self.over(spent)) is not None:
            return why
        if self.usd is not None and usd_h is None:
            return "what an hour costs there is not known, so no budget can be kept"
        left_s = self.left_s(spent, usd_h)
        least_s = LEAST_S if usd_h is None or usd_h > 0.0 else FREE_LEAST_S
        if left_s is not None and left_s < least_s:
            return f"what is left of the budget pays for {left_s / 60:.0f} min, and a start is worth {least_s / 60:.0f}"
        return None

    def to_json(self) -> Json:
        """The fields that are limited, as a relay has them."""
        said = {"budget_usd": self.usd, "max_hours": self.hours, "price_usd_h": self.usd_h}
        return {name: value for name, value in said.items() if value is not None}


def from_json(relay: Json) -> Budget:
    return Budget(usd=relay.get("budget_usd"), hours=relay.get("max_hours"), usd_h=relay.get("price_usd_h"))


def how_to_raise(run: str) -> str:
    """What to type for more."""
    return f"facegan-job resume {run} --budget USD or --max-hours H allows more; --price USD says what an hour costs"
