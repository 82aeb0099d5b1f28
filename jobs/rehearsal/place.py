"""A place of a rehearsal behind the port: what a script makes of its answers, and whoever asks may die over them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.base import Allowance, Backend, Capabilities, Fate, Hand, Order
from jobs.backends.base import Machine as Hardware
from jobs.refusals import Auth, Capacity, InvalidJob, Uncertain
from jobs.refusals import Quota as QuotaRefusal
from jobs.rehearsal.clock import Clock
from jobs.rehearsal.machine import BEGAN, Machine
from jobs.rehearsal.process import Process
from jobs.rehearsal.script import Denial, Script
from jobs.rehearsal.terms import Terms

LEAST_S = 60.0  # of a quota; a place takes no session for less
REMEMBERED_S = 3600.0  # for which a forgetful place knows a session that has ended
SURE_S = 300.0  # for which a place has not known a session that it once had, until that is evidence
NOTHING_S = 300.0  # of a quota: a session is not worth its start for less

DENIALS = {"auth": Auth, "invalid": InvalidJob}


class Town(Protocol):
    """All that places share."""

    clock: Clock
    script: Script

    def start(self, site: Site, order: Order) -> Machine: ...


@dataclass(kw_only=True, eq=False)
class Site:
    """A place itself, which whoever asks sees through a `Spot`: every session that it ever had, by run and number."""

    name: str
    terms: Terms
    town: Town
    silences: Sequence[tuple[float, float]] = ()
    machines: dict[tuple[str, int], Machine] = field(default_factory=dict)
    asked: int = 0
    denials: Sequence[Denial] = ()
    is_forgetful: bool = False
    missed: dict[tuple[str, int], float] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        return any(machine.ended is None for machine in self.machines.values())

    def is_silent(self) -> bool:
        return any(begins <= self.town.clock.now < ends for begins, ends in self.silences)

    def known(self, run: str, number: int) -> Machine | None:
        """The session of that name, as far as the place knows it now."""
        machine, now = self.machines.get((run, number)), self.town.clock.now
        if machine is None or now < machine.asked + machine.stay.hidden_s:
            return None
        return None if self.has_forgotten(machine) else machine

    def has_forgotten(self, machine: Machine) -> bool:
        return self.is_forgetful and machine.ended is not None and self.town.clock.now > machine.ended + REMEMBERED_S

    def missing_s(self, machine: Machine) -> float:
        """For how long those who asked have been told that it is not known."""
        now = self.town.clock.now
        return now - self.missed.setdefault((machine.run, machine.number), now)

    def denial(self) -> str | None:
        now = self.town.clock.now
        return next((each.kind for each in self.denials if each.begins <= now < each.ends), None)

    def used_s(self, period: int | None = None) -> float:
        """How long sessions have run, in one period of the quota or in all."""
        now, quota = self.town.clock.now, self.terms.quota
        if period is None or quota is None:
            return sum(machine.used_s(now) for machine in self.machines.values())
        ends = quota.first_s + period * quota.period_s
        begins = ends - quota.period_s
        return sum(_within(machine, now, begins, ends) for machine in self.machines.values())

    def left_s(self) -> float:
        """What the quota has left now."""
        quota = self.terms.quota
        return float("inf") if quota is None else quota.of_s - self.used_s(quota.period(self.town.clock.now))

    def is_used_up(self, for_s: float) -> bool:
        """Whether its quota has been used up for so long, and whoever asked would have been told so all the time."""
        quota, now = self.terms.quota, self.town.clock.now
        if quota is None or not quota.told or self.left_s() >= NOTHING_S:
            return False
        since = now - for_s
        is_silent = any(begins <= now and since <= ends for begins, ends in self.silences)
        in_use = any(each.began is not None and (each.ended or now) > since for each in self.machines.values())
        return not is_silent and not in_use

    def longest_s(self) -> float:
        """How long a session may run that begins now: past a reset, there is the next period's."""
        quota, now = self.terms.quota, self.town.clock.now
        left_s = self.left_s()
        if quota is None or now + left_s < quota.resets_at(now):
            return left_s
        return quota.resets_at(now) - now + quota.of_s

    def paid(self, run: str | None = None) -> float:
        """What sessions have cost so far, of one run or of all, in US dollars."""
        now = self.town.clock.now
        mine = [machine for (of, _), machine in self.machines.items() if run in {None, of}]
        return sum(machine.used_s(now) / 3600.0 * machine.usd_h for machine in mine)


def _within(machine: Machine, now: float, begins: float, ends: float) -> float:
    if machine.began is None:
        return 0.0
    until = now if machine.ended is None else machine.ended
    return max(0.0, min(until, ends) - max(machine.began, begins))


@dataclass(kw_only=True, eq=False)
class Desk:
    """A machine of the user's: its commands wait for each other."""

    held: dict[str, Process] = field(default_factory=dict)


class Spot(Backend):
    """The place as one process of the user's sees it, at one of the user's machines."""

    host = None

    def __init__(self, site: Site, process: Process, desk: Desk) -> None:
        self.name = site.name
        self._site, self._process, self._desk = site, process, desk

    def capabilities(self) -> Capabilities:
        terms = self._site.terms
        return Capabilities(
            summary="a place of a rehearsal",
            gpus=tuple(terms.speeds),
            stores=("memory",),
            data_is_here=False,
            session_s=terms.cap_s,
        )

    def machine(self, gpu: str | None) -> Hardware:
        return Hardware(device="gpu" if gpu else "cpu", cores=2)

    def bundle(self, gpu: str | None) -> Json:
        del gpu
        self._ask()
        return {}

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Wait for other commands of the same machine. What holds the lock and dies lets it go."""
        held, clock = self._desk.held, self._site.town.clock
        while (other := held.get(run)) is not None and not other.dead and other is not self._process:
            clock.sleep(1.0)
        held[run] = self._process
        try:
            yield
        finally:
            if held.get(run) is self._process:
                del held[run]

    def command(self, order: Order) -> Json:
        return {"run": order.run, "number": order.number}

    def submit(self, order: Order, hand: Hand) -> Json:
        known = self.look_up(order)
        if known is not None:
            return known
        hand()
        return self._process.meet(lambda: self._answer(order))

    def look_up(self, order: Order) -> Json | None:
        self._ask()
        machine = self._site.known(order.run, order.number)
        return machine.ref if machine is not None and machine.ended is None else None

    def fate(self, ref: Json) -> Fate:
        try:
            self._ask()
        except Uncertain:
            return Fate(life=Life.UNKNOWN)
        run, number = str(ref.get("run")), int(ref.get("number", 0))
        once, machine = self._site.machines.get((run, number)), self._site.known(run, number)
        if once is not None and once.is_known and self._site.has_forgotten(once):
            is_sure = self._site.missing_s(once) >= SURE_S
            return (
                Fate(life=Life.GONE, why=f"{self.name} does not know it any more")
                if is_sure
                else Fate(life=Life.UNKNOWN)
            )
        if machine is None or not machine.is_known:
            return Fate(life=Life.UNKNOWN)
        return Fate(life=Life.ALIVE) if machine.ended is None else Fate(life=Life.GONE, why=machine.why)

    def quota(self) -> Allowance | None:
        self._ask()
        quota, site = self._site.terms.quota, self._site
        if quota is None or not quota.told:
            return None
        at = quota.resets_at(site.town.clock.now)
        return Allowance(what="time with GPUs", left_s=site.left_s(), of_s=quota.of_s, resets_at=_day(at))

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        del run_url, keep
        self._ask()

    def _ask(self) -> None:
        """One request: it takes its time, and the process may die over it."""
        self._site.town.clock.sleep(0.2)
        self._process.meet(lambda: None)
        if self._site.is_silent():
            raise Uncertain(f"{self.name} does not answer")

    def _answer(self, order: Order) -> Json:
        site = self._site
        terms, clock = site.terms, site.town.clock
        number, site.asked = site.asked, site.asked + 1
        answer = site.town.script.answer(site.name, number, clock.now, terms)
        if answer == "silent, not made":
            raise Uncertain(f"{self.name} does not answer")
        before = site.machines.get((order.run, order.number))
        if before is not None and before.ended is None and site.known(order.run, order.number) is None:
            return before.ref  # names are unique there, seen or not
        if (kind := site.denial()) is not None:
            raise DENIALS[kind](f"{self.name} does not let anybody in" if kind == "auth" else "no such session can run")
        if terms.quota is not None and site.busy:
            raise Capacity(f"{self.name} runs one session of an account at a time")
        if site.left_s() < LEAST_S:
            at = terms.quota.resets_at(clock.now) if terms.quota is not None and terms.quota.told else None
            raise QuotaRefusal("the quota is used up", resets_at=None if at is None else _day(at))
        if answer == "capacity":
            raise Capacity("there is no room")
        machine = site.town.start(site, order)
        if answer == "silent, made":
            raise Uncertain(f"{self.name} does not answer")
        return machine.ref


def _day(at: float) -> datetime:
    return datetime.fromtimestamp(BEGAN + at, UTC)
