"""Committing checkpoints beside the training: at most one in flight.

The training thread pays for the copy of the state only. One background thread serialises, uploads,
appends the entry and lets go of old states. When the storage does not answer, that thread asks on and
the cadence gives way; training does not stop for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from facegan import checkpoints
from facegan.checkpoints import Point, Sample
from facegan.errors import FaceganError, NotHolderError, UnreachableError
from facegan.experiment import Checkpoint
from facegan.ledger import Ledger
from facegan.pruning import Policy, prune
from facegan.stopping import LOST_LEASE, StopSignal, failed, shut_out
from facegan.storage.base import ExpiredError, RefusedError

PAUSES_S = (5.0, 10.0, 20.0, 40.0, 60.0)

Wait = Callable[[float | None], bool]
Spawn = Callable[[Callable[[], None]], Wait]
"""Run a function beside the caller; what is returned waits up to so many seconds for its end."""


@dataclass(kw_only=True)
class Fresh:
    """What was made since the last checkpoint was handed over."""

    points: list[Point] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def followed_by(self, later: Fresh) -> Fresh:
        return Fresh(points=[*self.points, *later.points], samples=[*self.samples, *later.samples])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where commits go, and what they need: passed in, so that tests decide about time and threads."""

    ledger: Ledger
    session: int
    policy: Checkpoint
    stop: StopSignal
    clock: Callable[[], float]
    sleep: Callable[[float], object]
    spawn: Spawn
    say: Callable[[str], object]


class Committer:
    """Takes over what is fresh, and makes it history."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._started_at = place.clock()
        self._wait: Wait = _nothing
        self._given_way = False
        self._unsaved = Fresh()
        self.committed = place.ledger.fold.tip[1] if place.ledger.fold.tip else 0
        self.deadline: float | None = None

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint should start after this step.

        A cadence in seconds gives way to one still in flight. One in steps waits for it, as long as the
        storage answers: it says where checkpoints are, not what they may cost.
        """
        policy, stop = self._place.policy, self._place.stop
        if stop.warned and self._is_free(patience_s=0.0):
            stop.warned = False
            return True
        if policy.every_steps is not None:
            return step % policy.every_steps == 0 and self._is_free(patience_s=30.0)
        late = self._place.clock() - self._started_at >= policy.every_s
        return late and self._is_free(patience_s=0.0)

    def start(
        self, step: int, serialise: Callable[[], bytes], fresh: Fresh, spent: Mapping[str, float] | None = None
    ) -> None:
        """Commit beside the caller. The one before must have ended (`is_due`, `finish`).

        If that one failed, this one takes over what it was given: no step's metrics may be left out.
        """
        self._started_at = self._place.clock()
        everything, self._unsaved = self._unsaved.followed_by(fresh), Fresh()
        self._wait = self._place.spawn(lambda: self._commit(step, serialise, everything, spent))

    def finish(self, deadline: float | None) -> bool:
        """Wait for what is in flight, until the deadline on the clock; whether nothing is, any more."""
        self.deadline = deadline
        return self._wait(None if deadline is None else max(0.0, deadline - self._place.clock()))

    def _is_free(self, patience_s: float) -> bool:
        free = self._wait(patience_s)
        if not free and not self._given_way:
            self._place.say("the storage is slower than the cadence: the next checkpoint waits for the last one")
        self._given_way = not free
        return free

    def _commit(
        self, step: int, serialise: Callable[[], bytes], fresh: Fresh, spent: Mapping[str, float] | None
    ) -> None:
        """Until it is committed, or never can be: every way out is told to the training by `stop`."""
        place = self._place
        try:
            self._until_answered(step, serialise(), fresh, spent)
        except NotHolderError as error:
            place.say(error.message)
            place.stop.give(LOST_LEASE)
        except UnreachableError as error:
            self._unsaved = fresh
            place.say(f"checkpoint {step:,} could not be committed: {error.message}")
        except Exception as error:  # noqa: BLE001 - the last line of a thread: the training must hear of it
            self._unsaved = fresh
            why = error.message if isinstance(error, FaceganError) else f"{type(error).__name__}: {error}"
            place.say(f"checkpoint {step:,} could not be committed: {why}")
            place.stop.give(shut_out(why) if isinstance(error, ExpiredError) else failed(why))

    def _until_answered(self, step: int, state: bytes, fresh: Fresh, spent: Mapping[str, float] | None) -> None:
        place = self._place
        for attempt in itertools.count():
            try:
                checkpoints.commit(
                    place.ledger,
                    session=place.session,
                    step=step,
                    state=state,
                    points=fresh.points,
                    samples=fresh.samples,
                    clock=place.clock,
                    spent=spent,
                )
            except UnreachableError as error:
                pause_s = PAUSES_S[min(attempt, len(PAUSES_S) - 1)]
                if self.deadline is not None and place.clock() + pause_s > self.deadline:
                    raise
                place.say(f"checkpoint {step:,} waits for the storage: {error.message}")
                place.sleep(pause_s)
            else:
                break
        self.committed = step
        place.say(f"checkpoint {step:,} committed")
        self._let_go()

    def _let_go(self) -> None:
        """Delete the states that the policy does not keep: what cannot be deleted takes room, and nothing else."""
        place = self._place
        try:
            prune(place.ledger, Policy(newest=place.policy.keep, every=place.policy.keep_every))
        except (UnreachableError, RefusedError) as error:
            place.say(f"older states could not all be deleted: {error.message}")


def _nothing(_seconds: float | None) -> bool:
    return True
