"""What a session spends its time on, by its own clock, which never goes back: its entries carry the sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping

STARTING = "starting"  # from the process' beginning to the first step: programs, data, compiling, restoring
TRAINING = "training"  # steps that nobody has committed before, pictures and judgements included
AGAIN = "again"  # steps whose metrics are history already, whose state is not to be had any more
SAVING = "saving"  # what training waits for a checkpoint: the copy of the state, the one before, the last one
KINDS = (STARTING, TRAINING, AGAIN, SAVING)


class Spent:
    """A clock that is read into one of several sums: whatever a session does, they make up its whole life.

    `began` is the clock when the process' time began to run. Used by one thread; `sums` may be asked by any.
    """

    def __init__(self, clock: Callable[[], float], began: float) -> None:
        self._clock = clock
        self._now = (STARTING, began, dict.fromkeys(KINDS, 0.0))

    def on(self, kind: str) -> None:
        """From now on time goes to this kind."""
        at = self._clock()
        self._now = (kind, at, self._added(at))

    def sums(self) -> Mapping[str, float]:
        """Seconds of each kind until now, to the millisecond."""
        return {kind: round(seconds, 3) for kind, seconds in self._added(self._clock()).items()}

    def _added(self, at: float) -> dict[str, float]:
        kind, since, sums = self._now  # one read of one attribute: a watchdog's thread asks beside the training
        return {**sums, kind: sums[kind] + max(0.0, at - since)}
