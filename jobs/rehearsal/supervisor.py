"""The program at the user's: watches that come every quarter of an hour and may be killed, and the user's own word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from facegan.errors import FaceganError
from facegan.ledger import Entry, Ledger, Writer
from facegan.storage.base import ObjectStore
from facegan.storage.retry import PatientStore
from jobs import launch, word
from jobs.backends.base import Backend
from jobs.budget import Budget
from jobs.context import Context
from jobs.refusals import Refusal, Uncertain
from jobs.rehearsal.clock import Clock
from jobs.rehearsal.line import Line, Weather
from jobs.rehearsal.machine import BEGAN
from jobs.rehearsal.place import Desk, Site, Spot
from jobs.rehearsal.process import Process
from jobs.rehearsal.promises import BrokenError
from jobs.rehearsal.reasons import is_of_money
from jobs.rehearsal.script import Script, Visit
from jobs.settings import Settings
from jobs.supervision.actions import GiveUp, Leave, Rest, Wait
from jobs.supervision.past import Relay
from jobs.supervision.places import first
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Watch

EVERY_S = 900.0  # as cron and GitHub Actions have it
NAP_S = 240.0  # that a watch which stays lets pass at least between two looks: its machine sleeps a lot
ANSWER_S = 0.2  # that an answer of the store takes, when it takes any time
SLOW = 0.25  # of its answers
MORE = 1.5  # times as much, then
AGAIN_S = 600.0  # after which the user says it again, where it was not heard
SLEPT_ON_S = 8 * 3600.0  # after which the user sees that a run was given up, and tries it again


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed(Settings):
    """The settings of one process in a rehearsal: the places that it sees are not there."""

    stand_ins: Callable[[str], Backend]

    def stand_in(self, name: str) -> Backend:
        return self.stand_ins(name)


class KnownLedger(Ledger):
    """Judges no entry twice that is the same to the byte: visit after visit reads what those before it have read."""

    def __init__(self, store: ObjectStore, run: str, writer: Writer, known: dict[tuple[int, bytes], Entry]) -> None:
        super().__init__(store, run, writer)
        self._known = known

    def _decoded(self, seq: int, data: bytes) -> Entry:
        found = self._known.get((seq, data))
        if found is None:
            found = self._known[seq, data] = super()._decoded(seq, data)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrounded(Context):
    """What a command of a rehearsal works with."""

    known: dict[tuple[int, bytes], Entry]

    def ledger(self, run: str) -> Ledger:
        return KnownLedger(self.store, run, self.writer, self.known)


class Told(Protocol):
    """Whom the supervisor tells of what it does."""

    def tell(self, run: str, what: str, why: str, *, place: str = "") -> None: ...


GivenUp = Callable[[str, str, Budget], object]
"""Is told of a run, why it is given up, and with which budget that was decided."""


@dataclass(kw_only=True, eq=False)
class Supervisor:
    """Every process that watches. `resumes` is how often the user tries a run again that was given up.

    `budgets` are what each run may take now, which its user may raise so often as it `raises`.
    """

    clock: Clock
    script: Script
    store: ObjectStore
    weather: Weather
    sites: Mapping[str, Site]
    home: Path
    relay: Relay
    runs: Sequence[str]
    told: Told
    resumes: int
    budgets: dict[str, Budget]
    heard: GivenUp
    raises: int = 0
    limits: Mapping[str, str] = field(default_factory=dict)
    visits: int = 0
    killed: int = 0
    resumed: dict[str, int] = field(default_factory=dict)
    _desks: tuple[Desk, Desk] = field(default_factory=lambda: (Desk(), Desk()))
    _said: dict[str, str] = field(default_factory=dict)
    _known: dict[tuple[int, bytes], Entry] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)
    _comes: set[str] = field(default_factory=set)

    def live(self, is_over: Callable[[], bool]) -> None:
        """Watch from time to time until everything is over; another one may begin before the last has ended."""
        staying = self.script.staying()
        if staying is not None:
            process = self._process("staying", staying)
            process.begin(lambda: self._stay(self.context(process, self._desks[1])))
        for run in self.runs:
            for at, what in self.script.words(run):
                self.clock.at(at, lambda run=run, what=what: self._word(run, what))  # type: ignore[misc]
        while not is_over():
            visit = self.script.visit(self.visits, self.clock.now)
            self._begin(visit, self._desks[0])
            if visit.twin_after_s is not None:
                self.clock.sleep(visit.twin_after_s)
                self._begin(Visit(), self._desks[1 if visit.elsewhere else 0])
            self.clock.sleep(EVERY_S)

    def is_left(self, run: str) -> bool:
        """Whether it is given up for good."""
        return run in self._given_up and run not in self._comes

    def context(self, process: Process, desk: Desk) -> Context:
        """What a command of the user's works with."""
        ids = iter(range(10**9))
        luck = self.script.luck("answers", process.name)

        def pause(_verb: str, _key: str) -> None:
            if luck.random() < SLOW:
                self.clock.sleep(ANSWER_S)

        settings = Rehearsed(
            home=self.home,
            store=self.store.url,
            backend=",".join(self.relay.backends),
            tracking="sqlite:///nowhere.db",
            stand_ins=lambda name: Spot(self.sites[name], process, desk),
            **self.limits,
        )
        return Surrounded(
            known=self._known,
            settings=settings,
            store=PatientStore(Line(self.store, process, self.weather, pause), self.clock.sleep),
            writer=Writer(
                holder=process.name,
                wall_s=lambda: BEGAN + self.clock.now,
                new_id=lambda: f"{process.name}-{next(ids)}",
            ),
            clock=lambda: self.clock.now,
            sleep=self.clock.sleep,
        )

    def _begin(self, visit: Visit, desk: Desk) -> None:
        process = self._process("watch", visit)
        process.begin(lambda: self._watch(self.context(process, desk)))

    def _process(self, what: str, visit: Visit) -> Process:
        number, self.visits = self.visits, self.visits + 1

        def ended(_why: str) -> None:
            self.killed += 1
            self.told.tell("", "watch killed", f"at its operation {visit.at_operation}")

        return Process(
            clock=self.clock, name=f"{what}-{number}", dies_at=visit.at_operation, torn=visit.torn, ended=ended
        )

    def _stay(self, context: Context) -> None:
        """Watch all runs to their end, on a machine that sleeps a lot."""
        napping = replace(context, sleep=lambda seconds: self.clock.sleep(max(seconds, NAP_S)))
        rests = self._watching(napping, self.runs).until_over()
        for run in self.runs:
            rest = rests.get(run)
            if not isinstance(rest, GiveUp) and not (isinstance(rest, Leave) and rest.over):
                raise BrokenError(f"{run}: a watch that stays has left it although it is not over")
            fold = context.ledger(run).refresh()
            if isinstance(rest, Leave) and not (fold.finished or fold.cancel or self._was_stopped(run)):
                raise BrokenError(f"{run}: a watch that stays took it to be over, and it is not finished")

    def _watching(self, context: Context, runs: Sequence[str]) -> Watch:
        relay = self.relay
        allowed = Allowed(
            settings=context.settings,
            backends=relay.backends,
            gpu=relay.gpu,
            budget=self._budget(),
            auto=relay.auto,
        )
        return Watch(context=context, allowed=allowed, voice=_Voice(self, allowed.budget), names=runs)

    def _budget(self) -> Budget:
        """What is typed at a watch: of all runs one."""
        return self.budgets[self.runs[0]]

    def _watch(self, context: Context) -> None:
        going_on = [run for run in self.runs if run not in self._given_up]
        for run, rest in self._watching(context, going_on).once().items():
            self._left(run, rest)

    def _left(self, run: str, rest: Rest) -> None:
        """How a run was left by a watch that came to its end."""
        if isinstance(rest, GiveUp):
            self._give_up(run, rest.why)
        why = rest.why.partition("; looks again")[0] if isinstance(rest, Wait) else ""
        if why and self._said.get(run) != why:
            self.told.tell(run, "waits", rest.why)
        self._said[run] = why

    def _give_up(self, run: str, why: str) -> None:
        if run in self._given_up:
            return
        self._given_up.add(run)
        self.told.tell(run, "given up", why)
        pays = not is_of_money(why) or self._raises()
        if pays and self.resumed.get(run, 0) < self.resumes:
            self._comes.add(run)
            self.clock.at(self.clock.now + SLEPT_ON_S, lambda: self._user(run))

    def _raises(self) -> bool:
        """Whether the user allows more: of several runs, one budget is typed for all."""
        if self.raises == 0:
            return False
        self.raises -= 1
        for run, budget in self.budgets.items():
            usd, hours = (None if most is None else MORE * most for most in (budget.usd, budget.hours))
            self.budgets[run] = replace(budget, usd=usd, hours=hours)
        return True

    def _was_stopped(self, run: str) -> bool:
        return any(what == "stop" and at <= self.clock.now for at, what in self.script.words(run))

    def _word(self, run: str, what: str) -> None:
        process = self._process(what, Visit())
        process.begin(lambda: self._say(run, what, self.context(process, self._desks[0])))

    def _say(self, run: str, what: str, context: Context) -> None:
        """The user says stop, resume or cancel, until it is heard, or there is nothing to be said it of."""
        self.told.tell(run, what, "the user says so")
        while True:
            try:
                if what == "resume":
                    if not context.ledger(run).refresh().stop:
                        return
                    self._given_up.discard(run)
                    self._resume(run, context)
                elif what == "stop":
                    word.stop(context, context.ledger(run))
                else:
                    word.cancel(context, context.ledger(run))
            except FaceganError as error:
                self.told.tell(run, "trouble", error.message)
                self.clock.sleep(AGAIN_S)
            else:
                return

    def _user(self, run: str) -> None:
        process = self._process("user", Visit())
        process.begin(lambda: self._try_again(run, self.context(process, self._desks[0])))

    def _try_again(self, run: str, context: Context) -> None:
        """The user's `resume`, at the first backend that can."""
        self.resumed[run] = self.resumed.get(run, 0) + 1
        self._comes.discard(run)
        self._given_up.discard(run)
        self.told.tell(run, "resume", "the user tries it again")
        try:
            self._resume(run, context)
        except FaceganError as error:
            self.told.tell(run, "trouble", error.message)

    def _resume(self, run: str, context: Context) -> None:
        relay = replace(self.relay, budget=self.budgets[run])
        where = replace(first(context, relay, None, _quiet), relay=relay.to_json())
        launch.resume(context, context.ledger(run), where, None, _quiet)


class _Voice:
    """What a watch says while it works is in the ledger as well."""

    def __init__(self, supervisor: Supervisor, budget: Budget) -> None:
        self._supervisor, self._budget = supervisor, budget

    def say(self, run: str, text: str) -> None:
        del run, text

    def complain(self, run: str, error: FaceganError) -> None:
        if not isinstance(error, Refusal) or isinstance(error, Uncertain):
            self._supervisor.told.tell(run, "trouble", error.message)

    def give_up(self, run: str, why: str) -> None:
        self._supervisor.heard(run, why, self._budget)

    def sync(self, names: Sequence[str]) -> bool:
        del names
        return True


def _quiet(_text: str) -> None:
    return None
