"""What a session of a rehearsal runs on: the real session, a toy that takes its time, and an end that was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from facegan.errors import SessionExit
from facegan.experiment import Experiment, Json
from facegan.handed import Origin
from facegan.output import Output
from facegan.stopping import StopCause, StopSignal
from facegan.storage.base import ObjectStore
from facegan.storage.retry import PatientStore
from facegan.trainer import Trainer
from facegan.worker import Surroundings, run_session
from jobs.rehearsal.clock import Clock
from jobs.rehearsal.line import Line, Weather, is_state
from jobs.rehearsal.process import Process
from jobs.rehearsal.script import Stay
from jobs.rehearsal.terms import Terms
from jobs.rehearsal.toy import ToyTrainer

BEGAN = 1_767_571_200.0  # Monday 5 January 2026, 00:00 UTC, in Unix seconds
BEAT_S = 300.0  # between two signs of life of a session: seconds would be most of what happens in a week
UPLOAD_S = 20.0
MARGIN_S = 300.0  # of a place's longest session that are not planned with
LATE_S = 30.0  # after which a machine that was told to end is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What there is beside a session. Its steps take `step_s` on a T4, and to upload or fetch a state `upload_s`."""

    clock: Clock
    store: ObjectStore
    weather: Weather
    step_s: float
    upload_s: float = UPLOAD_S


class SlowToy(ToyTrainer):
    """A toy whose steps take the time of the real ones, and which may break, or never end a step."""

    def __init__(self, experiment: Experiment, gpu: str, step_s: float, here: Clock, stay: Stay) -> None:
        super().__init__(experiment, determinism={"device": gpu})
        self._step_s, self._clock = step_s, here
        self._how = stay.how
        self._doomed_at = here.now + (stay.after_s or 0.0)

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._clock.sleep(steps * self._step_s)
        if self._how in {"breaks", "hangs"} and self._clock.now >= self._doomed_at:
            if self._how == "breaks":
                raise RuntimeError("out of memory")
            self._clock.sleep(1e9)
        return super().advance(steps)


@dataclass(kw_only=True, eq=False)
class Machine:
    """One session at a place, from the request to its end. Times are the clock's.

    `began` and `ended` are those of the process; `why` is what its place says of the end. `free` is called once when
    it has ended. What may be used of the place's quota, `left_s`, is asked when it begins; `limit_s` is what the
    user's budget lets it take, from the request on, at `usd_h` dollars an hour.
    """

    around: Around
    place: str
    terms: Terms
    run: str
    number: int
    gpu: str
    stay: Stay
    asked: float
    usd_h: float
    limit_s: float | None
    left_s: Callable[[], float]
    free: Callable[[Machine], object]
    began: float | None = None
    ended: float | None = None
    why: str = ""
    is_known: bool = True
    process: Process = field(init=False)
    stop: StopSignal = field(default_factory=StopSignal)

    def __post_init__(self) -> None:
        stay, clock = self.stay, self.around.clock
        name = f"{self.run}-{self.number}-{self.place}"
        self.process = Process(clock=clock, name=name, dies_at=stay.at_operation, torn=stay.torn, ended=self._over)
        clock.at(self.asked + stay.wait_s, self._begin)

    @property
    def ref(self) -> Json:
        return {"place": self.place, "run": self.run, "number": self.number}

    @property
    def holder(self) -> str:
        """Its process' own name. A number may end before it begins, and it then asks for another: this stays."""
        return f"{self.run}-{self.number}-{self.place}-{self.asked:.0f}"

    @property
    def lives(self) -> bool:
        """Whether its process does, to whom nobody has to be told."""
        return self.began is not None and self.ended is None

    def used_s(self, now: float) -> float:
        if self.began is None:
            return 0.0
        return (now if self.ended is None else self.ended) - self.began

    def kill(self, why: str) -> None:
        self.process.kill(why)

    def _begin(self) -> None:
        if self.ended is not None:
            return
        if self.stay.how == "vanishes" and self.place != "local":  # a machine knows its own processes
            self.is_known = False
            self.process.kill("")
            return
        if self.stay.how in {"unborn", "vanishes"}:
            self.process.kill("it did not start")
            return
        self.began = self.around.clock.now
        self._schedule_end()
        self.process.begin(self._live)

    def _schedule_end(self) -> None:
        clock, terms = self.around.clock, self.terms
        if terms.cap_s is not None:
            clock.at(clock.now + terms.cap_s, lambda: self.kill("its place has ended it: it was there long enough"))
        if self.limit_s is not None:
            clock.at(self.asked + self.limit_s, lambda: self.kill("it has ended itself: the budget is used up"))
        left_s = self.left_s()
        if left_s < float("inf"):
            clock.at(clock.now + left_s, lambda: self.kill("its place has ended it: the quota is used up"))
        if self.stay.how != "lives" or self.stay.after_s is None:
            return
        taken_at = clock.now + self.stay.after_s
        if terms.notice_s is not None:
            clock.at(taken_at - terms.notice_s, self._notice)
        clock.at(taken_at, lambda: self.kill("its machine was taken away"))

    def _notice(self) -> None:
        notice_s = self.terms.notice_s or 0.0
        why = f"{self.place} takes this machine back in {notice_s:.0f} s"
        self.stop.give(StopCause(outcome="interrupted", why=why, grace_s=notice_s - LATE_S))

    def _over(self, why: str) -> None:
        self.ended, self.why = self.around.clock.now, why
        self.free(self)

    def _live(self) -> None:
        run_session(self._surroundings())
        self.process.kill("its process has ended")

    def _surroundings(self) -> Surroundings:
        clock, process, output = self.around.clock, self.process, Output()
        holder = self.holder
        ids = iter(range(10**9))
        return Surroundings(
            store=PatientStore(Line(self.around.store, process, self.around.weather, self._pause), clock.nap),
            run=self.run,
            number=self.number,
            holder=holder,
            machine={} if self.place == "local" else {"place": self.place, "gpu": self.gpu},
            origin=Origin(backend=self.place, ref=self.ref),
            budget_s=self._budget_s(),
            build=self._build,
            clock=lambda: clock.now,
            wall_s=lambda: BEGAN + clock.now,
            sleep=clock.sleep,
            new_id=lambda: f"{holder}-{next(ids)}",
            spawn=self._spawn,
            repeat=lambda work, every_s: process.every(every_s, work),
            abandon=self._abandon,
            began=clock.now,
            stop=self.stop,
            output=output,
            say=lambda text: output.write(f"{text}\n".encode()),
        )

    def _budget_s(self) -> float | None:
        """How long the process plans to live, of what its place and the user's budget let it."""
        waited_s = self.around.clock.now - self.asked
        limits = [self.terms.cap_s, None if self.limit_s is None else self.limit_s - waited_s]
        return min((limit - MARGIN_S for limit in limits if limit is not None), default=None)

    def _pause(self, verb: str, key: str) -> None:
        if verb in {"get", "put"} and is_state(key):
            self.around.clock.sleep(self.around.upload_s)

    def _build(self, experiment: Experiment) -> Trainer:
        step_s = self.around.step_s / self.terms.speeds[self.gpu]
        return SlowToy(experiment, self.gpu, step_s, self.around.clock, self.stay)

    def _spawn(self, work: Callable[[], None]) -> Callable[[float | None], bool]:
        actor = self.process.begin(work)
        return lambda seconds: self.around.clock.wait(actor, seconds)

    def _abandon(self, _code: SessionExit) -> None:
        self.process.kill("its process has ended")
