"""One session: lease, restore, train until told to stop, checkpoint, report.

The session knows no framework and no clock of its own: it drives a `Trainer` in `Surroundings`. Its
crash argument is that nothing it does counts until an entry says so: killed anywhere, the run is what
the ledger says, and the next session takes the last committed step from there.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facegan import checkpoints, lease
from facegan.checkpoints import Point, Sample
from facegan.committer import Committer, Fresh, Place, Spawn
from facegan.errors import FaceganError, NotHolderError, SessionExit, UnreachableError
from facegan.experiment import Experiment, Json
from facegan.handed import HAND, Origin
from facegan.ledger import Fold, Ledger, Wish, Writer
from facegan.output import Output
from facegan.prepared import Manifest
from facegan.pulse import Pulse
from facegan.spent import AGAIN, SAVING, TRAINING, Spent
from facegan.stopping import LOST_LEASE, StopCause, StoppedError, StopSignal, failed, interrupted, shut_out
from facegan.storage.base import ExpiredError, ObjectStore
from facegan.trainer import BuildTrainer, Trainer

SAY_EVERY_S = 30.0  # the heartbeat says it every five; each piece of output is a request
FINISHED = StopCause(outcome="finished", why="the last step is committed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything a session touches besides its own memory.

    `clock` counts seconds from anywhere and never goes back, `wall_s` is the time of day; `began` is the
    clock when the machine's time began to run, and `budget_s` how long it runs, where the machine has such a
    limit. `settle` sees to it that data that nobody has prepared are one array in the store, and describes it;
    `None` where the experiment says which array is meant. `spawn` runs a function beside the caller; `repeat` runs
    one every so many seconds beside the caller, until what it returns is called. `abandon` ends the process at
    once. `origin` is who started the process.
    """

    store: ObjectStore
    run: str
    number: int | None
    holder: str
    machine: Json
    build: BuildTrainer
    clock: Callable[[], float]
    wall_s: Callable[[], float]
    sleep: Callable[[float], object]
    new_id: Callable[[], str]
    spawn: Spawn
    repeat: Callable[[Callable[[], None], float], Callable[[], None]]
    abandon: Callable[[SessionExit], object]
    began: float
    stop: StopSignal
    output: Output
    say: Callable[[str], object]
    origin: Origin = HAND
    budget_s: float | None = None
    settle: Callable[[Experiment], Manifest | None] = lambda _experiment: None


def run_session(here: Surroundings) -> SessionExit:
    """Extend the run as far as this session may. Never raises."""
    writer = Writer(holder=here.holder, wall_s=here.wall_s, new_id=here.new_id)
    try:
        ledger = Ledger(here.store, here.run, writer)
        experiment = ledger.created()
        claim = lease.Claim(
            number=here.number,
            machine=here.machine,
            origin=here.origin,
            lease_s=experiment.session.lease_s,
            sleep=here.sleep,
            say=here.say,
        )
        number = lease.take(ledger, claim)
    except FaceganError as error:
        tell(here.say, error)
        return error.exit_code
    here.say(f"session {number} of run {here.run} holds the run")
    return _Session(here, ledger, experiment, number).run()


def tell(say: Callable[[str], object], error: FaceganError) -> None:
    """An error in the words every command uses."""
    say(f"error: {error.message}" if error.exit_code else error.message)
    if error.hint:
        say(f"hint: {error.hint}")


class _Session:
    """A session that holds the lease."""

    def __init__(self, here: Surroundings, ledger: Ledger, experiment: Experiment, number: int) -> None:
        self.here = here
        self.ledger = ledger
        self.experiment = experiment
        self.number = number
        self.pulse = Pulse(ledger, number, here.output, here.stop)
        self.fresh = Fresh()
        self.spent = Spent(here.clock, here.began)
        self.slowest_s = 0.0
        self.said_at = -math.inf

    def run(self) -> SessionExit:
        """From the lease to the report; every way a session can end comes through here."""
        self._phase("starting")
        self._beat()
        rest = self.here.repeat(self._beat, self.experiment.session.heartbeat_s)
        try:
            cause = self._train()
        except StoppedError:  # before the first step: there is nothing to commit
            cause = self.here.stop.cause or interrupted("asked to stop")
        except NotHolderError as error:
            cause = LOST_LEASE
            tell(self.here.say, error)
        except UnreachableError as error:
            tell(self.here.say, error)
            return SessionExit.INTERRUPTED  # nothing is appended: whoever comes next sees a silent session
        except ExpiredError as error:
            tell(self.here.say, error)
            cause = shut_out(error.message)
        except FaceganError as error:
            tell(self.here.say, error)
            cause = failed(error.message, error.exit_code)
        except Exception as error:  # noqa: BLE001 - the last line of a session: whatever broke is reported
            self.here.say(traceback.format_exc())
            cause = failed(f"{type(error).__name__}: {error}")
        finally:
            rest()
        return self._report(cause)

    def _train(self) -> StopCause:
        trainer, committer = self._restore()
        while True:
            cause = self._finish(trainer, committer, self._train_until_told(trainer, committer))
            if cause is not FINISHED or trainer.step >= self.ledger.refresh().steps:
                return cause
            committer.deadline = None  # the run was made longer while its last step was being committed
            self._phase("training")

    def _train_until_told(self, trainer: Trainer, committer: Committer) -> StopCause:
        while (cause := self._cause(trainer)) is None:
            self._advance(trainer)
            self.spent.on(SAVING)
            more = self.here.stop.cause is None and trainer.step < self.ledger.fold.steps
            if more and committer.is_due(trainer.step):
                self._commit(trainer, committer)
        return cause

    def _restore(self) -> tuple[Trainer, Committer]:
        """Build the trainer, and take up the newest checkpoint that is whole."""
        here = self.here
        restored = checkpoints.restore(self.ledger)
        for damage in restored.damaged:
            here.say(f"damaged, not used: {damage}")
        self._settle_data()
        trainer = here.build(self.experiment)
        if restored.state is not None:
            self._phase("restoring")
            trainer.restore(restored.state)
        self._begin_at(trainer, restored)
        here.say(f"continues from checkpoint {restored.step:,}" if restored.state else "begins at step 0")
        self._phase("training", step=trainer.step, device=trainer.determinism.get("device", ""))
        place = Place(
            ledger=self.ledger,
            session=self.number,
            policy=self.experiment.checkpoint,
            stop=here.stop,
            clock=here.clock,
            sleep=here.sleep,
            spawn=here.spawn,
            say=here.say,
        )
        return trainer, Committer(place)

    def _settle_data(self) -> None:
        """Have the run say which array its data are, where its first session has to make it.

        The crash argument: the entry comes after the upload. Killed before it, the run has no data yet, and the next
        session takes the array that is whole in the store, or prepares it; after it, no session can take another.
        """
        made = self.here.settle(self.experiment)
        if made is None:
            return
        said = {"session": self.number, "name": made.name, "digest": made.digest, "count": made.count}

        def decide(fold: Fold) -> Wish | None:
            if not fold.holds(self.here.holder):
                raise checkpoints.not_holder(fold)
            return None if fold.data is not None else Wish(kind="data", body=said)

        self.ledger.append(decide)
        self.experiment = self.ledger.created()

    def _begin_at(self, trainer: Trainer, restored: checkpoints.Restored) -> None:
        """Append what the session continues from, and how much may be claimed of the join."""

        def decide(fold: Fold) -> Wish | None:
            if not fold.holds(self.here.holder):
                raise checkpoints.not_holder(fold)
            if fold.tip is not None:
                return None
            now = dict(trainer.determinism)
            join = "exact" if fold.determinism in ({}, now) else "statistical"
            facts = {"session": self.number, "determinism": now, "join": join, "spent": dict(self.spent.sums())}
            return checkpoints.restored_wish(self.ledger, restored, facts)

        self.ledger.append(decide)

    def _cause(self, trainer: Trainer) -> StopCause | None:
        """Why to stop before the next step, if there is a reason."""
        given = self.here.stop.cause
        if given and not given.commit:
            return given
        if trainer.step >= self.ledger.fold.steps:
            return FINISHED
        budget_s = self._budget_s
        if budget_s is not None and self.here.clock() - self.here.began >= budget_s - self._margin_s():
            self.here.stop.give(interrupted(f"the session's {budget_s:g} s are used"))
        return self.here.stop.cause

    @property
    def _budget_s(self) -> float | None:
        """The time there is: the user's limit or the machine's, whichever ends first."""
        return min((b for b in (self.experiment.session.budget_s, self.here.budget_s) if b is not None), default=None)

    def _margin_s(self) -> float:
        """Time to keep for the final checkpoint: learnt from this run's own steps and uploads."""
        return 1.0 + 3.0 * self.ledger.fold.upload_s + 2.0 * self.slowest_s

    def _advance(self, trainer: Trainer) -> None:
        """Train to the next step at which anything else is due, and collect what was made."""
        began = self.here.clock()
        kind = AGAIN if trainer.step < self.ledger.fold.reached else TRAINING
        if self.pulse.progress.rate:  # until the first step is done, the session is starting: it may have to compile
            self.spent.on(kind)
        count = self._steps_to_next_event(trainer.step)
        done = trainer.advance(count)
        self.spent.on(kind)
        took_s = self.here.clock() - began
        if self.pulse.progress.rate:  # the first call compiles, which no later one does
            self.slowest_s = max(took_s, self.slowest_s)
        at = int(self.here.wall_s() * 1000)
        first = trainer.step - len(done) + 1
        for step, values in enumerate(done, first):
            extra = self._observe(trainer) if step == trainer.step else {}
            point = Point(step=step, at=at, values={**values, **extra})
            if not self._is_finite(point):
                return
            self.fresh.points.append(point)
        self._progress(trainer.step, took_s / len(done), done[-1])

    def _steps_to_next_event(self, step: int) -> int:
        e = self.experiment
        ends = [step + e.training.steps_per_call, self.ledger.fold.steps]
        cadences = [e.samples.every_steps, e.checkpoint.every_steps]
        if e.evaluation.metric != "none":
            cadences.append(e.evaluation.every_steps)
        ends += [step - step % every + every for every in cadences if every]
        return max(1, min(ends) - step)

    def _observe(self, trainer: Trainer) -> Mapping[str, float]:
        """Pictures and judgement of the step just done, when its turn has come.

        Their steps are fixed by the experiment, so that an interrupted run shows those of an untouched one.
        """
        step, last = trainer.step, trainer.step == self.ledger.fold.steps
        if last or step % self.experiment.samples.every_steps == 0:
            pictures = trainer.samples()
            self.fresh.samples += [Sample(step=step, name=name, png=png) for name, png in pictures.items()]
        if last or step % self.experiment.evaluation.every_steps == 0:
            return trainer.evaluate()
        return {}

    def _is_finite(self, point: Point) -> bool:
        broken = [name for name, value in point.values.items() if not math.isfinite(value)]
        if broken:
            self.here.stop.give(failed(f"{broken[0]} is {point.values[broken[0]]} at step {point.step:,}"))
        return not broken

    def _commit(self, trainer: Trainer, committer: Committer) -> None:
        fresh, self.fresh = self.fresh, Fresh()
        committer.start(trainer.step, trainer.snapshot(), fresh, self.spent.sums())

    def _finish(self, trainer: Trainer, committer: Committer, cause: StopCause) -> StopCause:
        """Commit what can be: first what is in flight, then the state as it is.

        Raises:
            UnreachableError: the storage did not answer in the time there was.
        """
        here = self.here
        self._phase("saving")
        self.spent.on(SAVING)
        deadline = here.clock() + (cause.grace_s or self._patience_s())
        free = committer.finish(deadline)
        if cause.commit and free and here.stop.cause is not LOST_LEASE and committer.committed < trainer.step:
            self._commit(trainer, committer)
            free = committer.finish(deadline)
        if here.stop.cause is LOST_LEASE:
            return LOST_LEASE
        if cause.commit and committer.committed < trainer.step:
            if here.stop.cause is not None and not here.stop.cause.commit:
                return here.stop.cause  # the storage did answer: it refused
            raise UnreachableError(f"step {trainer.step:,} could not be committed: the storage did not answer in time")
        return cause

    def _patience_s(self) -> float:
        return max(300.0, 10.0 * self.ledger.fold.upload_s)

    def _report(self, cause: StopCause) -> SessionExit:
        """Say how the session ended: its last entry. After it, nothing more is written."""
        here = self.here
        if not cause.report:
            return SessionExit.NOT_HOLDER
        here.say(f"session {self.number} {cause.outcome}: {cause.why}")
        self._phase("ended")

        def decide(fold: Fold) -> Wish | None:
            if not fold.holds(here.holder):
                raise checkpoints.not_holder(fold)
            body = {
                "session": self.number,
                "outcome": cause.outcome,
                "step": fold.tip[1] if fold.tip else 0,
                "why": cause.why,
                "took_s": round(here.clock() - here.began, 3),
                "spent": dict(self.spent.sums()),
            }
            return Wish(kind="report", body=body)

        try:
            self.pulse.beat()
        except FaceganError as error:
            tell(here.say, error)  # a report is worth more than a last sign of life
        try:
            self.ledger.append(decide)
        except FaceganError as error:
            tell(here.say, error)
            return error.exit_code
        return cause.code or _EXITS[cause.outcome]

    def _beat(self) -> None:
        """One heartbeat, and the watchdog: a step that never ends cannot be asked to stop.

        Only steps are watched. Starting may have to compile, and saving has a deadline of its own.
        """
        progress, stall_s = self.pulse.progress, self.experiment.session.stall_s
        if progress.phase == "training" and self.here.clock() - progress.moved_at > stall_s:
            cause = failed(f"no step was done for {stall_s:g} s after step {progress.step:,}")
            self.here.abandon(self._report(cause))
        budget_s = self._budget_s
        progress.left_s = None if budget_s is None else max(0.0, budget_s - (self.here.clock() - self.here.began))
        try:
            self.pulse.beat()
        except Exception as error:  # noqa: BLE001 - the last line of a thread: the training must hear of it
            why = error.message if isinstance(error, FaceganError) else f"{type(error).__name__}: {error}"
            self.here.stop.give(failed(why))

    def _phase(self, phase: str, *, step: int | None = None, device: str | None = None) -> None:
        now = self.pulse.progress
        now.phase, now.moved_at = phase, self.here.clock()
        now.step = now.step if step is None else step
        now.device = now.device if device is None else device

    def _progress(self, step: int, step_s: float, losses: Mapping[str, float]) -> None:
        now = self.pulse.progress
        now.step, now.losses, now.moved_at = step, losses, self.here.clock()
        rate = 1.0 / max(step_s, 1e-9)
        now.rate = rate if now.rate == 0.0 else 0.98 * now.rate + 0.02 * rate
        if now.moved_at - self.said_at >= SAY_EVERY_S:
            self.said_at = now.moved_at
            shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
            self.here.say(f"step {step:,} of {self.ledger.fold.steps:,}  {now.rate:.1f} steps/s  {shown}")


_EXITS = {
    "finished": SessionExit.FINISHED,
    "interrupted": SessionExit.INTERRUPTED,
    "failed": SessionExit.FAILED,
}
