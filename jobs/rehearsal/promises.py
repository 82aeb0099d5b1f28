"""What may never break, held against everything that is written: spelled apart from the ledger's own rules.

It shares nothing with `facegan.ledger.fold` and `jobs.supervision`: a rule that is broken there must be seen here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from facegan import layout
from facegan.experiment import Json
from jobs.budget import Budget
from jobs.errors import Exit, JobError
from jobs.rehearsal.machine import BEGAN, Machine
from jobs.rehearsal.place import Site

EPSILON_S = 1.0
CENT = 0.01
START_S = 1200.0  # that is left of a budget, and is worth a start
DEAR = 1.0  # dollars an hour: no machine here costs more
KNOWN_S = 2 * 3600.0  # for which a place says the same, until every watch must have heard it
REMEMBERED = 8  # sessions back, behind the user's own word
HOLDERS_OWN = {"restored", "checkpoint", "data"}


class BrokenError(JobError):
    """A promise was broken: a defect of this program."""

    exit = Exit.INTEGRITY


@dataclass(kw_only=True, eq=False)
class Line:
    """The entries of one run as they were written, as far as the promises go."""

    seq: int = -1
    digest: str = "0" * 64
    steps: int = 0
    newest: int = 0
    open: dict[int, str] = field(default_factory=dict)
    leased: dict[int, str] = field(default_factory=dict)
    holder: int | None = None
    tip: tuple[int, int] | None = None
    committed: list[tuple[int, int]] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    pruned: set[str] = field(default_factory=set)
    keys: dict[int, str] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)
    ended_at: dict[int, float] = field(default_factory=dict)
    asked_of: dict[int, str] = field(default_factory=dict)
    leased_at: dict[int, float] = field(default_factory=dict)
    heard_at: dict[int, float] = field(default_factory=dict)
    reported: set[int] = field(default_factory=set)
    refused: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def reached(self) -> int:
        return max((step for _, step in self.committed), default=0)


@dataclass(kw_only=True, eq=False)
class Promises:
    """Sees every change of the store, by the `now` of the rehearsal. `fail` is told of the first broken promise."""

    sites: Mapping[str, Site]
    now: Callable[[], float]
    fail: Callable[[BrokenError], object]
    budget: Budget = field(default_factory=Budget)
    lines: dict[str, Line] = field(default_factory=dict)
    checked: int = 0

    def witness(self, verb: str, key: str, data: bytes) -> None:
        """A change of the store, before it is made; of a new object, after it."""
        self.checked += 1
        run, _, rest = key.removeprefix(layout.RUNS).partition("/")
        try:
            if rest.startswith("ledger/"):
                self._require(verb == "put_new", run, f"an entry was to be changed: {verb} {key}")
                self._enter(run, self.lines.setdefault(run, Line()), data)
            elif rest.startswith("checkpoints/") and run in self.lines:
                self._object(run, self.lines[run], verb, key, data)
            elif rest.startswith("sessions/") and run in self.lines:
                self._heard(self.lines[run], rest.split("/")[1])
            self._spending(run)
        except BrokenError as broken:
            self.fail(broken)

    def _require(self, holds: bool, run: str, broken: str) -> None:
        if not holds:
            raise BrokenError(f"{run}: {broken}")

    def _enter(self, run: str, line: Line, data: bytes) -> None:
        entry = json.loads(data)
        self._require(entry["seq"] == line.seq + 1, run, f"entry {entry['seq']} follows entry {line.seq}")
        self._require(entry["prev"] == line.digest, run, f"entry {entry['seq']} does not follow the one before it")
        line.seq, line.digest = entry["seq"], hashlib.sha256(data).hexdigest()
        kind, number = entry["kind"], entry.get("session")
        if kind in HOLDERS_OWN:
            holds = line.holder in line.open and line.leased.get(line.holder or 0) == entry["by"]
            self._require(holds, run, f"{entry['by']} wrote {kind}, and does not hold the run")
        check = getattr(self, f"_{kind}", None)
        if check is not None:
            check(run, line, entry)
        if kind in HOLDERS_OWN | {"lease", "report"}:
            self._heard(line, str(number or line.holder))
        if kind in {"report", "lost", "refused"}:
            self._require(number in line.open, run, f"{kind} of session {number}, which is not open")
            self._end(line, entry)

    def _heard(self, line: Line, number: str) -> None:
        if number.isdecimal():
            line.heard_at[int(number)] = self.now()

    def _end(self, line: Line, entry: Json) -> None:
        number = entry["session"]
        name = line.open.pop(number)
        line.ended_at[number] = self.now()
        line.refused.pop(name, None)
        if entry.get("until"):
            line.refused[name] = (number, datetime.fromisoformat(entry["until"]).timestamp() - BEGAN)
        if entry["kind"] == "report":
            line.reported.add(number)

    def _created(self, _run: str, line: Line, entry: Json) -> None:
        line.steps = entry["experiment"]["training"]["steps"]

    def _intent(self, run: str, line: Line, entry: Json) -> None:
        number = entry["session"]
        self._require(number == line.newest + 1, run, f"session {number} was asked for after {line.newest}")
        beside = f"session {number} was asked for beside {sorted(line.open)}"
        by_itself = "machine" in entry  # its number was leased by another: whether that one lives, `_lease` asks
        self._require(bool(entry.get("resume")) or by_itself or not line.open, run, beside)
        self._require(line.reached < line.steps, run, f"session {number} was asked for, and nothing is left to do")
        if not entry.get("resume") and not by_itself:
            self._asked(run, line, number, entry["backend"])
        line.newest = number
        line.open[number] = line.asked_of[number] = entry["backend"]
        line.asked_at[number] = self.now()

    def _asked(self, run: str, line: Line, number: int, name: str) -> None:
        """By itself, nobody asks a place that has said that it has nothing, until when it said that there is more."""
        before, until = line.refused.get(name, (0, 0.0))
        is_early = number - before <= REMEMBERED and self.now() < until - EPSILON_S
        self._require(not is_early, run, f"session {number} was asked of {name} before it has more, as it had said")
        in_vain = self.sites[name].is_used_up(KNOWN_S)
        self._require(not in_vain, run, f"session {number} was asked of {name}, whose quota was known to be used up")

    def _lease(self, run: str, line: Line, entry: Json) -> None:
        number = entry["session"]
        self._require(number in line.open and number not in line.leased, run, f"session {number} may not lease")
        held = {line.leased[other]: other for other in line.open if other in line.leased}
        for machine in self._machines(run):
            held_by = held.get(machine.holder) if machine.lives else None
            both = f"session {number} leased the run while session {held_by} lived on {machine.place} and held it"
            self._require(held_by is None or machine.holder == entry["by"], run, both)
        line.leased[number], line.holder, line.tip = entry["by"], number, None
        line.leased_at[number] = self.now()

    def _restored(self, run: str, line: Line, entry: Json) -> None:
        whole = entry["damaged"] or entry["step"] == line.reached
        self._require(bool(whole), run, f"a session went on from {entry['step']}, and {line.reached} was committed")
        line.tip = (-1, 0) if entry["checkpoint"] is None else (entry["checkpoint"], entry["step"])

    def _checkpoint(self, run: str, line: Line, entry: Json) -> None:
        number, step = entry["session"], entry["step"]
        self._require(number == line.holder, run, f"session {number} committed, and {line.holder} holds the run")
        tip = line.tip or (-2, -1)
        follows = entry["parent"] == tip[0] and tip[1] < step <= line.steps
        self._require(follows, run, f"checkpoint {step} of entry {entry['parent']} does not follow {tip}")
        line.tip = (entry["seq"], step)
        line.committed.append(line.tip)
        line.keys[entry["seq"]] = entry["key"]
        for name, said in entry["objects"].items():
            line.named[entry["key"] + name] = said["sha256"]

    def _pruned(self, run: str, line: Line, entry: Json) -> None:
        kept = [seq for seq, _ in line.committed if seq not in entry["checkpoints"]][-2:]
        newest = [seq for seq, _ in line.committed][-2:]
        self._require(kept == newest, run, f"the last two checkpoints are not kept: {entry['checkpoints']}")
        line.pruned |= {line.keys[seq] + layout.STATE for seq in entry["checkpoints"]}

    def _lost(self, run: str, line: Line, entry: Json) -> None:
        number = entry["session"]
        for machine in self._machines(run):
            lives = machine.lives and line.leased.get(number) == machine.holder
            said = f"session {number} was declared lost ({entry['why']}) while it lived on {machine.place}"
            self._require(not lives, run, said)

    def _object(self, run: str, line: Line, verb: str, key: str, data: bytes) -> None:
        same = verb == "put" and line.named.get(key) == hashlib.sha256(data).hexdigest()  # again, its answer was lost
        spared = key not in line.named or same or (verb == "delete" and key in line.pruned)
        self._require(spared, run, f"what was committed was to be lost: {verb} {key}")

    def _spending(self, run: str) -> None:
        for site in self.sites.values():
            quota = site.terms.quota
            over = quota is not None and site.left_s() < -EPSILON_S
            self._require(not over, run, f"more than the quota of {site.name} was used")
        self._budgets(run)

    def _budgets(self, run: str) -> None:
        machines = self._machines(run)
        counted = {machine: self._counted_s(run, machine) / 3600.0 for machine in machines}
        paid = sum(hours * machine.usd_h for machine, hours in counted.items())
        over = self.budget.usd is not None and paid > self.budget.usd + CENT
        self._require(not over, run, f"{paid:.2f} USD were paid, and {self.budget.usd} USD are allowed")
        hours = sum(counted.values())
        over = self.budget.hours is not None and hours > self.budget.hours + EPSILON_S / 3600.0
        self._require(not over, run, f"{hours:.2f} h were used, and {self.budget.hours} h are allowed")

    def _counted_s(self, run: str, machine: Machine) -> float:
        """How long a machine was there, less what nobody can know of: before its session had leased the run, and, of
        one that could not say how it ended, after it was heard of last.
        """
        line, number, now = self.lines.get(run, Line()), machine.number, self.now()
        if machine.began is None:
            return 0.0
        ended = now if machine.ended is None else machine.ended
        if machine.ended is not None and number not in line.reported:
            ended = min(ended, max(machine.began, line.heard_at.get(number, ended)))
        return max(0.0, ended - max(machine.began, line.leased_at.get(number, machine.began)))

    def affords(self, run: str) -> bool:
        """Whether the budget surely pays for one more session of the run, however its sessions are counted."""
        line, now = self.lines[run], self.now()
        took_s = {number: line.ended_at.get(number, now) - at for number, at in line.asked_at.items()}
        usd_h = {each.place: each.usd_h for each in self._machines(run)}
        paid = sum(seconds / 3600.0 * usd_h.get(line.asked_of[number], 0.0) for number, seconds in took_s.items())
        usd = self.budget.usd is None or self.budget.usd - paid > START_S / 3600.0 * DEAR
        hours = self.budget.hours is None or self.budget.hours * 3600.0 - sum(took_s.values()) > START_S
        return usd and hours

    def _machines(self, run: str) -> list[Machine]:
        return [machine for site in self.sites.values() for (of, _), machine in site.machines.items() if of == run]
