"""What a plan is made from: what backends would do for a run, and what its user wants of the plan."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_S = 300.0  # of training; less than that is no session
FREE_LEAST_S = 300.0  # what is left of the hours has to last for so long, as `jobs.budget` has it
PAID_LEAST_S = 1200.0  # what the budget has to pay for before a session is started on it, as `jobs.budget` has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that is not known exactly: one time in ten it is below `low`, and one time in ten above `high`."""

    likely: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Estimate:
        return cls(likely=value, low=value, high=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A quota: `left_s` may be used now, and at `resets_at` it is `of_s` again, and so after each further `period_s`.

    Where `resets_at` is `None`, there is never more; where `period_s` is, only once.
    """

    left_s: float
    resets_at: float | None = None
    of_s: float = 0.0
    period_s: float | None = None

    def at(self, now: float) -> Meter:
        """The same meter later, nothing having been used meanwhile."""
        if self.resets_at is None or now < self.resets_at:
            return self
        if self.period_s is None:
            return Meter(left_s=self.of_s)
        periods = math.floor((now - self.resets_at) / self.period_s) + 1
        resets_at = self.resets_at + periods * self.period_s
        return Meter(left_s=self.of_s, resets_at=resets_at, of_s=self.of_s, period_s=self.period_s)

    def lasts(self, begins: float, most_s: float) -> float:
        """How long a session that begins then can go on until it is used up, `most_s` at the most."""
        meter, used = self.at(begins), 0.0
        while True:
            if meter.resets_at is None or begins + used + meter.left_s < meter.resets_at:
                return min(most_s, used + meter.left_s)
            used = meter.resets_at - begins
            if used >= most_s:
                return most_s
            meter = meter.at(meter.resets_at)

    def after(self, begins: float, used_s: float) -> Meter:
        """The meter when a session that began then, and could go on so long, has ended."""
        meter, ends = self.at(begins), begins + used_s
        since = begins
        while meter.resets_at is not None and meter.resets_at <= ends:
            since = meter.resets_at
            meter = meter.at(since)
        left_s = max(0.0, meter.left_s - (ends - since))
        return Meter(left_s=left_s, resets_at=meter.resets_at, of_s=meter.of_s, period_s=meter.period_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What one backend would do for the run, on one of its GPUs or on none, one session at a time.

    A session is waited for `wait_s`, which costs nothing, and prepares itself for `start_s`, which is paid and rationed
    as the rest is. Then it makes `rate` steps a second until it has run `cap_s`, where it may not run longer. An hour
    costs `usd_per_h`; machines are taken back `taken_per_h` times an hour, and with each, `lost_s` of training, as that
    was not committed yet. Sessions fail without any reason `fails_per_h` times an hour, and of all that are asked for
    the share `crowded` is refused, as there is no room; one that makes no step gives itself up after `stall_s`. The
    likely course of a plan has none of that, but how sure its end is does. `rests_on` says where all that is from.
    """

    backend: str
    gpu: str | None
    rate: Estimate
    wait_s: Estimate = Estimate(likely=0.0, low=0.0, high=0.0)
    start_s: float = 0.0
    cap_s: float | None = None
    meter: Meter | None = None
    usd_per_h: float = 0.0
    taken_per_h: float = 0.0
    fails_per_h: float = 0.0
    crowded: float = 0.0
    lost_s: float = 0.0
    stall_s: float = 0.0
    rests_on: tuple[str, ...] = ()

    @property
    def lasts_s(self) -> float:
        """How long a session lasts on average if nothing but its place ends it."""
        cap_s = math.inf if self.cap_s is None else self.cap_s
        if self.taken_per_h <= 0.0:
            return cap_s
        mean_s = 3600.0 / self.taken_per_h
        return mean_s * (1.0 - math.exp(-cap_s / mean_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A backend that no leg can be on, and why; `hint` is what to type, where something helps."""

    backend: str
    gpu: str | None
    why: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the user wants: the earliest end that costs at most `budget` dollars; with a `deadline`, in Unix seconds,
    the cheapest plan that ends by then. All sessions together take no more than `hours`.
    """

    budget: float | None = None
    deadline: float | None = None
    hours: float | None = None

    def less(self, usd: float, used_s: float) -> Terms:
        """What is left to be wanted once so much was paid and used."""
        return Terms(
            budget=None if self.budget is None else max(0.0, self.budget - usd),
            deadline=self.deadline,
            hours=None if self.hours is None else max(0.0, self.hours - used_s / 3600.0),
        )
