"""The promises about a ledger, spelled a second time and apart from the product's own rules.

A `Line` is what a ledger's entries amount to as far as the promises go. It shares nothing with
`facegan.ledger.fold`: a rule that is broken there must not be broken here too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from facegan import layout, lease
from facegan.errors import SessionExit
from facegan.experiment import Json
from facegan.ledger.entry import GENESIS, Entry, decode, digest
from tests.interleaving.place import Place
from tests.interleaving.world import CHECKPOINTS, PLACE, RUN, Op, Violation

HOLDERS_OWN = {"data", "restored", "checkpoint", "pruned"}
OF_A_COPY = {*HOLDERS_OWN, "lease", "report", "refused", "lost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A ledger's entries, folded for the promises.

    `open` are the numbers asked for and not ended, `leased` says who leased each number, `last` where each
    process appended last, `ended` by which entry each number ended. `tip` is the checkpoint (seq, step) that
    the holder continues from, `None` before its `restored`; `newest` the newest of all. `copies` are the numbers that
    were asked for with a copy of the run.
    """

    seq: int = -1
    digest: str = GENESIS
    steps: int = 0
    open: frozenset[int] = frozenset()
    copies: frozenset[int] = frozenset()
    leased: Mapping[int, str] = field(default_factory=dict)
    ended: Mapping[int, Entry] = field(default_factory=dict)
    last: Mapping[str, int] = field(default_factory=dict)
    holder: int | None = None
    tip: tuple[int, int] | None = None
    newest: tuple[int, int] = (-1, 0)
    stopped: bool = False
    cancelled: bool = False
    was_stopped: bool = False
    was_finished: bool = False
    committed: frozenset[tuple[str, int]] = frozenset()
    kinds: frozenset[tuple[str, str]] = frozenset()

    @property
    def finished(self) -> bool:
        return self.seq >= 0 and self.newest[1] >= self.steps

    def number_of(self, holder: str) -> int | None:
        return next((number for number, by in self.leased.items() if by == holder), None)

    def holds(self, holder: str) -> bool:
        """Whether the newest lease is this process', and its number has not ended."""
        return self.holder in self.open and self.leased[self.holder] == holder

    def follow(self, data: bytes) -> Line:
        """The line after one more entry.

        Raises:
            Violation: a promise is broken by it.
        """
        entry = decode(data, "an entry")
        _require(entry.seq == self.seq + 1, entry, f"stands after {self.seq}")
        _require(entry.prev == self.digest, entry, "does not follow the entry before it")
        away = self.open & self.copies
        _require(not away or entry.kind in OF_A_COPY, entry, "is added at home while a copy of the run is away")
        number = self.number_of(entry.by)
        _require(number is None or self.holds(entry.by), entry, "is of one that does not hold the run any more")
        _require(entry.kind not in HOLDERS_OWN or self.holds(entry.by), entry, "may only be appended by the holder")
        rule = getattr(self, f"_{entry.kind}", None)
        line: Line = rule(entry) if rule else self
        return dataclasses.replace(
            line,
            seq=entry.seq,
            digest=digest(data),
            last={**self.last, entry.by: entry.seq},
            was_finished=self.was_finished or line.finished,
            kinds=self.kinds | {(entry.by, entry.kind)},
        )

    def _created(self, entry: Entry) -> Line:
        return dataclasses.replace(self, steps=entry.body["experiment"]["training"]["steps"])

    def _intent(self, entry: Entry) -> Line:
        number = entry.body["session"]
        _require(number not in self.open | self.ended.keys() | self.leased.keys(), entry, "asks for a number again")
        _require(not self.cancelled, entry, "follows a cancel")
        _require(not self.stopped or bool(entry.body.get("resume")), entry, "follows a stop")
        carried = {number} if entry.body.get("carried") else set()
        _require(not (carried and self.open), entry, "sends a copy away in which another's work will be missing")
        return dataclasses.replace(self, open=self.open | {number}, copies=self.copies | carried, stopped=False)

    def _lease(self, entry: Entry) -> Line:
        number = entry.body["session"]
        _require(number not in self.leased, entry, f"leases number {number} a second time")
        _require(number in self.open, entry, f"leases number {number}, which has ended or was never asked for")
        _require(not self.stopped, entry, "leases a stopped run")
        _require(not self.cancelled, entry, "leases a cancelled run")
        _require(not self.finished, entry, "leases a finished run")
        over = self.open & self.leased.keys()
        return dataclasses.replace(
            self,
            leased={**self.leased, number: entry.by},
            ended={**self.ended, **dict.fromkeys(over, entry)},
            open=self.open - over,
            holder=number,
            tip=None,
        )

    def _restored(self, entry: Entry) -> Line:
        _require(not entry.body["damaged"], entry, "found damage, and there was none")
        at = -1 if entry.body["checkpoint"] is None else entry.body["checkpoint"]
        _require((at, entry.body["step"]) == self.newest, entry, f"leaves out what was committed: {self.newest}")
        return dataclasses.replace(self, tip=self.newest)

    def _checkpoint(self, entry: Entry) -> Line:
        step = entry.body["step"]
        _require(self.tip is not None and entry.body["parent"] == self.tip[0], entry, f"does not continue {self.tip}")
        _require(self.tip == self.newest, entry, f"leaves out what was committed: {self.newest}")
        _require(self.newest[1] < step <= self.steps, entry, f"has step {step} after {self.newest[1]} of {self.steps}")
        now = (entry.seq, step)
        return dataclasses.replace(self, tip=now, newest=now, committed=self.committed | {(entry.by, step)})

    def _stop(self, _entry: Entry) -> Line:
        return dataclasses.replace(self, stopped=True, was_stopped=True)

    def _cancel(self, _entry: Entry) -> Line:
        return dataclasses.replace(self, cancelled=True)

    def _extended(self, entry: Entry) -> Line:
        return dataclasses.replace(self, steps=entry.body["steps"])

    def _report(self, entry: Entry) -> Line:
        number = entry.body["session"]
        owner = self.leased.get(number)
        _require(owner in {None, entry.by}, entry, "reports for another's number")
        return self._end(entry)

    def _lost(self, entry: Entry) -> Line:
        return self._end(entry)

    def _end(self, entry: Entry) -> Line:
        number = entry.body["session"]
        _require(number in self.open, entry, f"ends number {number}, which has ended or was never asked for")
        return dataclasses.replace(self, open=self.open - {number}, ended={**self.ended, number: entry})


def _require(holds: bool, entry: Entry, why: str) -> None:
    if not holds:
        raise Violation(f'entry {entry.seq}, "{entry.kind}" by {entry.by}: {why}')


def require_own_place(line: Line, name: str, op: Op) -> None:
    """Before its lease a session writes only entries, and only of three kinds; then only under its own number.

    Raises:
        Violation: this write is neither.
    """
    number = line.number_of(name)
    if op.key.startswith(PLACE):
        return
    if op.is_append:
        kind = decode(op.data, op.key).kind
        allowed = number is not None or kind in {"intent", "lease", "report"} or name.startswith("user")
        what = f'a "{kind}"'
    else:
        folder = op.key.removeprefix(f"runs/{RUN}/")
        in_sessions = folder.startswith(f"sessions/{number}/")
        in_checkpoints = op.key.startswith(CHECKPOINTS) and folder.split("/")[1].endswith(f"-{number}")
        allowed = number is not None and (in_sessions or in_checkpoints or op.verb == "delete")
        allowed = allowed or (name.startswith("user") and _is_brought(line, op))
        what = folder
    if not allowed:
        raise Violation(f"{name} writes {what} and holds number {number}")


def _is_brought(line: Line, op: Op) -> bool:
    """Whether a command writes there what a session on a copy has left, or removes what is not needed for that."""
    folders = (folder for number in line.copies for folder in (f"sessions/{number}/", f"-{number}/"))
    return any(folder in op.key for folder in folders)


def require_watched(line: Line, place: Place) -> None:
    """A lease over one that has not ended needs the whole watch: every entry of theirs was known before it, and
    their heartbeat was the same at each look.

    Raises:
        Violation: this lease did not wait.
    """
    if line.holder not in line.open:
        return
    last = line.last[line.leased[line.holder]]
    looks = place.windows[-lease.LOOKS :]
    if len(place.windows) <= lease.LOOKS or looks[0].known < last:
        raise Violation(f"a lease over number {line.holder} without {lease.LOOKS} looks since entry {last}")
    heartbeat = layout.heartbeat(RUN, line.holder)
    first, *rest = ([beat[1:] for beat in window.beats if beat[0] == heartbeat] for window in place.windows)
    seen = [*(answer for answer, _ in first), *(answer for beats in rest for answer, _ in beats)]
    if len(set(seen)) != 1 or any(moved for beats in rest for _, moved in beats):
        raise Violation(f"a lease over number {line.holder}, whose heartbeat moved")


def require_acknowledged(line: Line, name: str, said: str) -> None:
    """What a process was told is history.

    Raises:
        Violation: it is not in the ledger.
    """
    words = said.split()
    if words[0] == "checkpoint" and words[-1] == "committed" and (name, int(words[1])) not in line.committed:
        raise Violation(f'{name} was told "{said}", and it is not in the ledger')
    if words[-3:] == ["holds", "the", "run"] and line.leased.get(int(words[1])) != name:
        raise Violation(f'{name} was told "{said}", and it does not')
    if words[0] == "acknowledged" and (name, words[1]) not in line.kinds:
        raise Violation(f'{name} was told that its "{words[1]}" is history, and it is not')


def require_right_exit(line: Line, place: Place) -> None:
    """The code a session ended with fits what its run's ledger says at that moment.

    An answer that was lost may end a session with 75 at any point. Apart from that: 0 says that the last step
    is committed, 75 that its own report stands or the user did not want it, 73 that the run is another's or
    its own number was ended by another.

    Raises:
        Violation: it does not fit.
    """
    code, name = place.code, place.holder
    number = line.number_of(name)
    own = [end for end in line.ended.values() if end.by == name and end.kind == "report"]
    overtaken = number is not None and not line.holds(name) and not own
    outcomes = {end.body["outcome"] for end in own}
    fits: Json = {
        SessionExit.FINISHED: line.was_finished and ("finished" in outcomes if number else not line.holds(name)),
        SessionExit.INTERRUPTED: place.silent
        or ("interrupted" in outcomes if number else line.was_stopped or line.cancelled),
        SessionExit.NOT_HOLDER: overtaken if number else bool(line.leased.keys() or line.open),
    }
    if name.startswith("user"):
        fits = {SessionExit.FINISHED: True, SessionExit.INTERRUPTED: place.silent}
    if overtaken and not place.silent:
        fits = {SessionExit.NOT_HOLDER: True}
    if not (isinstance(code, SessionExit) and fits.get(code, False)):
        raise Violation(
            f"{name} ended with {code!r}; number {number}, holds it: {line.holds(name)}, reports: {outcomes}"
        )
