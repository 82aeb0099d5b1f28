"""What a decision is made from: a run, what its places say, and what its user allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facegan.ledger import Fold
from facegan.process import Life
from facegan.spending import Spending
from jobs.budget import Budget
from jobs.supervision.past import Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the user allows: `backends`, the first that can is taken; `gpu`, one of that name on each of them.

    Where it is `auto`, offers come in the order of the plan, whatever that of the backends.
    The run is given up after `failures` failed sessions at one step, after as many that ended before they had
    restored anything, after `fruitless` in a row that committed nothing, as many in a row that never began, or when it
    had `sessions` of them.
    A backend is left out for `quarantine_s` after it was `patience` times in a row of no use. All sessions together may
    cost and take what the `budget` says.
    """

    backends: tuple[str, ...]
    gpu: str | None = None
    sessions: int | None = None
    failures: int = 2
    fruitless: int = 6
    patience: int = 4
    quarantine_s: float = 6 * 3600.0
    budget: Budget = field(default_factory=Budget)
    auto: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of a session that has not ended. `why` is the evidence, of one that is gone.

    `missing_s` is how long its place, which answers, has not known its name; `None` when it does, or does not answer.
    """

    number: int
    life: Life
    why: str = ""
    missing_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a backend of the policy could do now. `unfit` is why it cannot; `passing`, whether that is for now only.

    `left_s` is what its quota has left and `resets_at`, Unix seconds, when there is more, where it has one and says so.
    `start_s` is what of it a session uses up before its first step. `usd_h` is what an hour costs there, in dollars;
    `None` where nobody knows.
    """

    backend: str
    unfit: str = ""
    passing: bool = False
    left_s: float | None = None
    resets_at: float | None = None
    start_s: float = 0.0
    usd_h: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run and its world at one moment. `sightings` has every open session; `past` the ended ones, newest first.

    `past`, `offers` and what was `spent` are read only where no session is open, the last only where a budget is set.
    """

    fold: Fold
    sightings: Sequence[Sighting] = ()
    past: Sequence[Ended] = ()
    offers: Sequence[Offer] = ()
    spent: Spending = field(default_factory=Spending)
