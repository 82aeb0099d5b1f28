"""What may never break, held against everything that is written: spelled apart from the ledger's own rules.

It shares nothing with `facegan.ledger.fold` and `jobs.supervision`: a rule that is broken there must be seen here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from facegan import layout
from facegan.experiment import Json
from jobs.budget import Budget
from jobs.errors import Exit, JobError
from jobs.rehearsal import reasons
from jobs.rehearsal.history import JUST_S, End, Line
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
class Promises:
    """Sees every change of the store, by the `now` of the rehearsal. `fail` is told of the first broken promise."""

    sites: Mapping[str, Site]
    now: Callable[[], float]
    fail: Callable[[BrokenError], object]
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    places: Sequence[str] = ()
    lines: dict[str, Line] = field(default_factory=dict)
    checked: int = 0
    unlucky: set[str] = field(default_factory=set)

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
        if kind in {"report", "lost", "refused"}:
            self._require(number in line.open, run, f"{kind} of session {number}, which is not open")
            self._end(line, entry)

    def _end(self, line: Line, entry: Json) -> None:
        number = entry["session"]
        name = line.open.pop(number)
        line.ended_at[number] = self.now()
        line.refused.pop(name, None)
        if entry.get("until"):
            line.refused[name] = (number, datetime.fromisoformat(entry["until"]).timestamp() - BEGAN)
        if entry["kind"] == "report":
            line.reported.add(number)
        ended = End(
            number=number,
            place=name,
            outcome=str(entry.get("outcome") or entry["kind"]),
            began=line.began[number],
            step=line.reached,
            at=self.now(),
            leased=number in line.leased,
            restored=number in line.restored,
            refusal=entry.get("refusal"),
        )
        line.ends.append(ended)

    def _created(self, _run: str, line: Line, entry: Json) -> None:
        line.steps = entry["experiment"]["training"]["steps"]

    def _intent(self, run: str, line: Line, entry: Json) -> None:
        number = entry["session"]
        self._require(number == line.newest + 1, run, f"session {number} was asked for after {line.newest}")
        self._require(not line.cancelled, run, f"session {number} was asked for, and the run is cancelled")
        heeds = bool(entry.get("resume")) or not line.stopped
        self._require(heeds, run, f"session {number} was asked for, and the user has said stop")
        beside = f"session {number} was asked for beside {sorted(line.open)}"
        by_itself = "machine" in entry  # its number was leased by another: whether that one lives, `_lease` asks
        self._require(bool(entry.get("resume")) or by_itself or not line.open, run, beside)
        self._require(line.reached < line.steps, run, f"session {number} was asked for, and nothing is left to do")
        if not entry.get("resume") and not by_itself:
            self._asked(run, line, number, entry["backend"])
            self._alone(run, line, number)
        if entry.get("resume"):
            line.resumed_at.append(self.now())
            line.stopped = False
            self.unlucky.discard(run)
        line.newest, line.began[number] = number, line.reached
        line.open[number] = line.asked_of[number] = entry["backend"]
        line.asked_at[number] = self.now()

    def _asked(self, run: str, line: Line, number: int, name: str) -> None:
        """By itself, nobody asks a place that has said that it has nothing, until when it said that there is more."""
        before, until = line.refused.get(name, (0, 0.0))
        is_early = number - before <= REMEMBERED and self.now() < until - EPSILON_S
        self._require(not is_early, run, f"session {number} was asked of {name} before it has more, as it had said")
        in_vain = self.sites[name].is_used_up(KNOWN_S)
        self._require(not in_vain, run, f"session {number} was asked of {name}, whose quota was known to be used up")
        never = f"session {number} was asked of {name}, which had said twice that it never will"
        self._require(not line.never(name, self.now() + JUST_S), run, never)

    def _alone(self, run: str, line: Line, number: int) -> None:
        """Nothing that was asked for before is still at its place, but what has reported, or was made too late."""
        for machine in self._machines(run):
            ended = line.ended_at.get(machine.number)
            is_late = ended is not None and machine.asked >= ended
            is_there = machine.ended is None and not line.has_reported(machine.number, machine.holder)
            beside = f"session {number} was asked for, and {machine.number} was still at {machine.place}"
            self._require(is_late or not is_there, run, beside)

    def _stop(self, _run: str, line: Line, _entry: Json) -> None:
        line.stopped = True

    def _cancel(self, _run: str, line: Line, _entry: Json) -> None:
        line.cancelled = True

    def _lease(self, run: str, line: Line, entry: Json) -> None:
        number = entry["session"]
        self._require(number in line.open and number not in line.leased, run, f"session {number} may not lease")
        held = {line.leased[other]: other for other in line.open if other in line.leased}
        for machine in self._machines(run):
            held_by = held.get(machine.holder) if machine.lives else None
            both = f"session {number} leased the run while session {held_by} lived on {machine.place} and held it"
            self._require(held_by is None or machine.holder == entry["by"], run, both)
        line.leased[number], line.holder, line.tip = entry["by"], number, None

    def _restored(self, run: str, line: Line, entry: Json) -> None:
        self._require(not entry["damaged"], run, f"what was committed was taken for damaged: {entry['damaged']}")
        line.restored.add(line.holder or 0)
        self._require(
            entry["step"] == line.reached,
            run,
            f"a session went on from {entry['step']}, and {line.reached} was committed",
        )
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
            waits = machine.number == number and machine.ended is None and not line.has_reported(number, machine.holder)
            lives = lives or waits
            how = "lived on" if machine.lives else "waited at"
            said = f"session {number} was declared lost ({entry['why']}) while it {how} {machine.place}"
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
        machines, allowed = self._machines(run), self._allowed(run)
        counted = {machine: self._was_there_s(machine) / 3600.0 for machine in machines}
        paid = sum(hours * machine.usd_h for machine, hours in counted.items())
        over = allowed.usd is not None and paid > allowed.usd + CENT
        self._require(not over, run, f"{paid:.2f} USD were paid, and {allowed.usd} USD are allowed")
        hours = sum(counted.values())
        over = allowed.hours is not None and hours > allowed.hours + EPSILON_S / 3600.0
        self._require(not over, run, f"{hours:.2f} h were used, and {allowed.hours} h are allowed")

    def _allowed(self, run: str) -> Budget:
        return self.budgets.get(run, Budget())

    def given_up(self, run: str, why: str, allowed: Budget) -> None:
        """A watch with this budget has given the run up."""
        affords = self.affords(run, allowed)
        ground = reasons.holds(why, self.lines[run], self.now(), self.places, affords=affords)
        if not ground:
            self.fail(BrokenError(f"{run}: it was given up without ground: {why}"))
        elif reasons.is_by_luck(why):
            self.unlucky.add(run)

    def has_to_end(self, run: str) -> bool:
        """Whether every step of it has to be there in the end: nothing but the program could have kept it from that."""
        line = self.lines[run]
        return self.affords(run) and run not in self.unlucky and not line.cancelled and not line.stopped

    def is_there(self, run: str) -> bool:
        return any(machine.ended is None for machine in self._machines(run))

    def quiet_s(self, run: str) -> float:
        """For how long no session of it has been anywhere; 0 while one is."""
        ended = [self.now() if machine.ended is None else machine.ended for machine in self._machines(run)]
        return self.now() - max(ended, default=0.0)

    def close(self, run: str) -> None:
        """What holds of a run that is over.

        Raises:
            BrokenError: it does not.
        """
        for machine in self._machines(run):
            left = f"session {machine.number} is still at {machine.place}, and the run is over"
            self._require(machine.ended is not None, run, left)
        self._spending(run)

    def _was_there_s(self, machine: Machine) -> float:
        """How long there was something to pay for, whatever anybody knew of it."""
        if machine.began is None:
            return 0.0
        return (self.now() if machine.ended is None else machine.ended) - machine.began

    def affords(self, run: str, allowed: Budget | None = None) -> bool:
        """Whether the budget surely pays for one more session of the run, however its sessions are counted."""
        line, now, budget = self.lines[run], self.now(), allowed or self._allowed(run)
        took_s = {number: line.ended_at.get(number, now) - at for number, at in line.asked_at.items()}
        usd_h = {each.place: each.usd_h for each in self._machines(run)}
        paid = sum(seconds / 3600.0 * usd_h.get(line.asked_of[number], 0.0) for number, seconds in took_s.items())
        usd = budget.usd is None or budget.usd - paid > START_S / 3600.0 * DEAR
        hours = budget.hours is None or budget.hours * 3600.0 - sum(took_s.values()) > START_S
        return usd and hours

    def _machines(self, run: str) -> list[Machine]:
        return [machine for site in self.sites.values() for (of, _), machine in site.machines.items() if of == run]
