"""The session that a run has now, as the first leg of its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from facegan.experiment import Experiment
from facegan.hours.stays import Stay
from jobs.planning import estimates
from jobs.planning.prospects import Estimate, Prospect, Unfit
from jobs.run import RunView
from jobs.supervision import experience
from jobs.supervision.experience import Had

OFF = 0.1  # how far the rate of the last minute may be off


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A session that has not ended, and the run as it is seen now."""

    run: str
    view: RunView
    stay: Stay
    chosen: Experiment

    def added_to(self, own: Sequence[Had]) -> Sequence[Had]:
        """With what its heartbeat says, where the ledger does not say it yet."""
        return [*own, *self._had(own)]

    def opening(self, prospects: Sequence[Prospect], now: float) -> Prospect | None:
        """What it has still before it; `None` where that cannot be told."""
        where = (self.stay.backend, self.stay.gpu)
        there = next((each for each in prospects if (each.backend, each.gpu) == where), None)
        if there is None:
            return None
        rate = estimates.within(self.view.rate, OFF) if self.view.rate > 0.0 else there.rate
        if self.stay.leased is None:
            waited_s = now - self.stay.asked / 1000.0
            return replace(there, rate=rate, wait_s=_less(there.wait_s, waited_s))
        since_s = now - self.stay.leased / 1000.0
        start_s = 0.0 if self.view.rate > 0.0 else max(0.0, there.start_s - since_s)
        cap_s = None if there.cap_s is None else max(0.0, there.cap_s - since_s)
        return replace(there, rate=rate, wait_s=Estimate.exactly(0.0), start_s=start_s, cap_s=cap_s)

    def dark(self, unfit: Sequence[Unfit]) -> str:
        """Why nothing can be told of what it has still before it. No plan goes on beside it."""
        name = self.stay.backend
        whys = (each.why for each in unfit if each.backend == name)
        why = next(whys, f"it is none of the backends that are planned over: --backend {name}")
        return f"session {self.stay.number} is open on {name}, and nothing is known of what is before it ({why})"

    def _had(self, own: Sequence[Had]) -> Iterator[Had]:
        told = any(had.run == self.run and had.backend == self.stay.backend and had.rate is not None for had in own)
        if self.view.rate > 0.0 and not told:
            wanted, stay = experience.work(self.chosen), self.stay
            yield Had(run=self.run, backend=stay.backend, gpu=stay.gpu, work=wanted, rate=self.view.rate)


def _less(wait_s: Estimate, waited_s: float) -> Estimate:
    """What is left of a wait: who has waited longer than anybody may begin at any time."""
    low, likely, high = (max(0.0, each - waited_s) for each in (wait_s.low, wait_s.likely, wait_s.high))
    return Estimate(low=low, likely=likely, high=high)
