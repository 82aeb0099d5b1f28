"""A rehearsal put together: the places, the sessions, the supervisor and one clock."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facegan.experiment import Experiment
from facegan.ledger import Ledger, Writer
from jobs import launch, prices, recipe
from jobs.backends import BACKENDS
from jobs.backends.base import Order
from jobs.rehearsal import proof, terms
from jobs.rehearsal.clock import Clock
from jobs.rehearsal.diary import Diary, Event
from jobs.rehearsal.line import OrderedStore, Weather
from jobs.rehearsal.machine import BEAT_S, BEGAN, Around, Machine
from jobs.rehearsal.place import Desk, Site
from jobs.rehearsal.process import Process
from jobs.rehearsal.promises import BrokenError, Promises
from jobs.rehearsal.script import Script, Troubles
from jobs.rehearsal.supervisor import Supervisor
from jobs.rehearsal.terms import DAY_S, Terms
from jobs.supervision.past import Relay

SILENT_S = 900.0  # more than two beats: a session that lives is never taken for a silent one
CHECKPOINT_S = 1800.0
WINDING_UP_S = 3600.0
LONGEST_QUEUE_S = 12 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One run of a rehearsal: `steps` of a toy of `step_s` seconds on a T4, each for `stride` of the `total`."""

    run: str
    steps: int
    step_s: float
    stride: int = 1
    total: int = 0
    seed: int = 0

    def real(self, step: int) -> int:
        """Which step of the experiment a step of the toy stands for."""
        return step if not self.total else min(step * self.stride, self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is rehearsed. Where it is `to_end`, every run has to be finished by then.

    The user tries a run again so often as it `resumes`, and allows more so often as it `raises`.
    """

    seed: int
    days: float
    relay: Relay
    roles: Sequence[Role]
    troubles: Troubles
    resumes: int = 0
    raises: int = 0
    to_end: bool = False
    limits: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Terms] = field(default_factory=lambda: terms.TERMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run came out. `at` is when its last step was committed, in seconds from the beginning."""

    run: str
    steps: int
    reached: int
    sessions: int
    at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """Hours of sessions at a place, of them in its quota's current period of `quota_of`, and dollars paid."""

    place: str
    sessions: int
    hours: float
    quota_hours: float | None
    quota_of: float
    paid: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that came of a rehearsal. `broken` says which promise was, if any.

    `progress` is when which step was committed: run, time, step.
    """

    play: Play
    events: Sequence[Event]
    endings: Sequence[Ending]
    used: Sequence[Used]
    stays: Sequence[Machine]
    progress: Sequence[tuple[str, float, int]]
    watches: int
    killed: int
    changes: int
    broken: str = ""


class World:
    """Everything that there is in one rehearsal."""

    def __init__(self, play: Play, home: Path) -> None:
        self.clock = Clock()
        self.script = Script(seed=play.seed, troubles=play.troubles, days=play.days)
        self._play = play
        self.store = OrderedStore(lambda: BEGAN + self.clock.now)
        self._weather = Weather(self.script, lambda: self.clock.now)
        self.sites = {
            name: Site(
                name=name,
                terms=play.places.get(name, Terms(speeds={})),
                town=self,
                silences=self._silences(name),
                denials=self.script.denials(name),
                is_forgetful=self.script.is_forgetful(name),
            )
            for name in BACKENDS
        }
        self.diary = Diary(now=lambda: self.clock.now, real={role.run: role.real for role in play.roles})
        budgets = {role.run: play.relay.budget for role in play.roles}
        self.promises = Promises(
            sites=self.sites,
            now=lambda: self.clock.now,
            fail=self.clock.fail,
            budgets=budgets,
            places=able(play),
        )
        self.store.witness = self._witness
        self.supervisor = Supervisor(
            clock=self.clock,
            script=self.script,
            store=self.store,
            weather=self._weather,
            sites=self.sites,
            home=home,
            relay=play.relay,
            runs=[role.run for role in play.roles],
            told=self.diary,
            resumes=play.resumes,
            budgets=budgets,
            heard=self.promises.given_up,
            raises=play.raises,
            limits=play.limits,
        )
        self._around = {
            role.run: Around(clock=self.clock, store=self.store, weather=self._weather, step_s=role.step_s)
            for role in play.roles
        }
        self._ended_at: dict[str, float] = {}
        self._progress: list[tuple[str, float, int]] = []

    def play(self) -> Outcome:
        """All of it, to the end of its days, or of its runs."""
        broken = ""
        try:
            self._create()
            watching = self.clock.begin("supervisor", lambda: self.supervisor.live(self._is_over))
            if self.clock.wait(watching, self._play.days * DAY_S):
                self._wind_up()
            for role in self._play.roles:
                ended = self._play.to_end and self.promises.has_to_end(role.run)
                proof.prove(self._ledger(role.run), ended=ended)
        except BrokenError as error:
            broken = error.message
        finally:
            self.store.witness = lambda _verb, _key, _data: None
            now = self.clock.now
            self.clock.close()
            self.clock.now = now
        return self._outcome(broken)

    def _wind_up(self) -> None:
        """Whatever is still there comes to its end, what is in a queue too."""
        deadline = self.clock.now + LONGEST_QUEUE_S
        self.clock.sleep(WINDING_UP_S)
        while self.clock.now < deadline and any(self.promises.is_there(role.run) for role in self._play.roles):
            self.clock.sleep(WINDING_UP_S)
        for role in self._play.roles:
            self.promises.close(role.run)

    def start(self, site: Site, order: Order) -> Machine:
        """A session is there from now on, although it may wait for long."""
        now = self.clock.now
        machine = Machine(
            around=self._around[order.run],
            place=site.name,
            terms=site.terms,
            run=order.run,
            number=order.number,
            gpu=str(order.gpu),
            stay=self.script.stay(order.run, order.number, site.name, now, site.terms),
            asked=now,
            usd_h=prices.price(site.name, order.gpu).usd_h or 0.0,
            limit_s=order.limit_s,
            left_s=site.longest_s,
            free=self._freed,
        )
        site.machines[order.run, order.number] = machine
        return machine

    def _freed(self, machine: Machine) -> None:
        if machine.why and machine.why != "its process has ended":
            self.diary.tell(machine.run, "ended", f"session {machine.number}: {machine.why}", place=machine.place)

    def _silences(self, name: str) -> Sequence[tuple[float, float]]:
        return self.script.silences(name) if name in self._play.relay.backends else ()

    def _witness(self, verb: str, key: str, data: bytes) -> None:
        self.promises.witness(verb, key, data)
        if verb == "put_new" and "/ledger/" in key:
            run = key.split("/")[1]
            self.diary.enter(run, data)
            line = self.promises.lines[run]
            if line.tip is not None and line.tip[0] == line.seq:
                self._progress.append((run, self.clock.now, self.diary.real[run](line.tip[1])))
            if line.reached >= line.steps:
                self._ended_at.setdefault(run, self.clock.now)

    def _create(self) -> None:
        process = Process(clock=self.clock, name="user")
        context = self.supervisor.context(process, Desk())
        for role in self._play.roles:
            launch.create(context, role.run, experiment(role))

    def _is_over(self) -> bool:
        return all(self._is_done(role.run) or self.supervisor.is_left(role.run) for role in self._play.roles)

    def _is_done(self, run: str) -> bool:
        line = self.promises.lines[run]
        is_over = line.cancelled and self.promises.quiet_s(run) >= WINDING_UP_S  # some watches have seen that
        return is_over or (run in self._ended_at and not line.open)

    def _ledger(self, run: str) -> Ledger:
        writer = Writer(holder="reader", wall_s=lambda: BEGAN + self.clock.now, new_id=lambda: "none")
        return Ledger(self.store, run, writer)

    def _outcome(self, broken: str) -> Outcome:
        sites = [self.sites[name] for name in self._play.relay.backends]
        return Outcome(
            play=self._play,
            events=self.diary.events,
            endings=[self._ending(role) for role in self._play.roles],
            used=[self._used(site) for site in sites],
            progress=self._progress,
            stays=[machine for site in sites for machine in site.machines.values()],
            watches=self.supervisor.visits,
            killed=self.supervisor.killed,
            changes=self.promises.checked,
            broken=broken,
        )

    def _ending(self, role: Role) -> Ending:
        line = self.promises.lines[role.run]
        return Ending(
            run=role.run,
            steps=role.real(role.steps),
            reached=role.real(line.reached),
            sessions=line.newest,
            at=self._ended_at.get(role.run),
        )

    def _used(self, site: Site) -> Used:
        quota = site.terms.quota
        period = None if quota is None else site.used_s(quota.period(self.clock.now)) / 3600.0
        return Used(
            place=site.name,
            sessions=sum(machine.began is not None for machine in site.machines.values()),
            hours=site.used_s() / 3600.0,
            quota_hours=period,
            quota_of=0.0 if quota is None else quota.of_s / 3600.0,
            paid=site.paid(),
        )


def able(play: Play) -> Sequence[str]:
    """The places that could run a session of it, if they would: `auto` goes where it is paid with a budget only."""
    relay = play.relay
    there = [name for name in relay.backends if relay.gpu in play.places.get(name, Terms(speeds={})).speeds]
    if not relay.auto or relay.budget.usd is not None:
        return there
    return [name for name in there if prices.price(name, relay.gpu).usd_h == 0.0]


def experiment(role: Role) -> Experiment:
    """What a toy is told to train, and how its sessions behave."""
    settings = (
        f"training.steps={role.steps}",
        f"checkpoint.every_s={CHECKPOINT_S}",
        f"samples.every_steps={max(1, role.steps // 10)}",
        "evaluation.metric=none",
        f"session.heartbeat_s={BEAT_S}",
        f"session.lease_s={SILENT_S}",
        f"session.stall_s={max(2 * 3600.0, 20 * role.step_s)}",
        f"seed={role.seed}",
    )
    return dataclasses.replace(recipe.resolve("dcgan-mnist", settings, device="gpu", cores=2), name=role.run)


def rehearse(play: Play) -> Outcome:
    """Play it. Nothing but a folder for what the supervisor remembers is made, and removed again."""
    with tempfile.TemporaryDirectory(prefix="facegan-rehearsal-") as home:
        return World(play, Path(home)).play()
