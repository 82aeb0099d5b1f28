"""What the ledger, and the store's clock, tell of each session: when it was asked for, began, was heard of, ended.

Nearly all of a long ledger are checkpoints. Every entry has the run's state as folded so far, so those that begin or
end something are found by bisection; of the checkpoints, the last one of each session is read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from facegan import layout
from facegan.experiment import Json
from facegan.ledger import Entry, Ledger
from facegan.storage.base import ObjectStore

STALL = 600_000  # milliseconds, where an experiment does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One session. All times are whole milliseconds since 1970, by the store's clock.

    `launched`, `leased`, `restored` and `ended` are `None` where that did not happen (yet), or, of the first, was not
    written down before it began. `heard` is its last sign of life, its last entry or its heartbeat. `starting`,
    `committed` and `reported` are what it said it had spent its time on when it had restored, at its last committed
    checkpoint, and when it reported: milliseconds of each kind; empty where it did not come so far, or was of a
    version that did not say. `price` is what its place asks, as its `intent` has it. `first` and `last` are the steps
    it continued from and last committed; `join` says how much may be claimed of the bits where it continued, "exact" or
    "statistical". `device` and `software`, values by name, are what it computed with. Of these, what a session says
    when it has restored is empty before. `stall` is for how long it may go on without a step, before it ends itself.
    """

    number: int
    backend: str
    host: str | None = None
    gpu: str | None = None
    carried: bool = False
    price: Json | None = None
    asked: int
    launched: int | None = None
    lease_seq: int | None = None
    leased: int | None = None
    restored: int | None = None
    committed_at: int | None = None
    heard: int | None = None
    ended: int | None = None
    starting: Mapping[str, int] = field(default_factory=dict)
    committed: Mapping[str, int] = field(default_factory=dict)
    reported: Mapping[str, int] = field(default_factory=dict)
    has_reported: bool = False
    device: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    join: str = ""
    first: int = 0
    last: int = 0
    outcome: str = "open"
    why: str = ""
    stall: int = STALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """All sessions of a run by number, when it was created, and when it was heard of last: milliseconds since 1970."""

    run: str
    created: int
    until: int
    sessions: tuple[Stay, ...]


def read(ledger: Ledger, known: dict[int, Entry] | None = None) -> Stays:
    """Ask the store what it knows of the run's sessions. Entries that are `known`, by number, are not fetched again."""
    ledger.refresh()
    return as_read(ledger, known)


def as_read(ledger: Ledger, known: dict[int, Entry] | None = None) -> Stays:
    """The same, to the newest entry that this process has read so far."""
    at = _times(ledger)
    found: dict[int, Stay] = {}
    until, stall = at[0], STALL
    for entry in _telling(ledger, {} if known is None else known):
        before = dict(found)
        if entry.kind == "created":
            stall = _ms(entry.body["experiment"]["session"]["stall_s"])
        if entry.kind in _TELLS:
            _TELLS[entry.kind](found, entry, at[entry.seq])
        if found != before:  # what else is appended, a copy to MLflow say, is no time of the run's
            until = at[entry.seq]
    told = (replace(found[number], stall=stall) for number in sorted(found))
    sessions = tuple(_heard(ledger.store, ledger.run, stay) for stay in told)
    until = max([until, *(stay.heard for stay in sessions if stay.heard is not None and stay.ended is None)])
    return Stays(run=ledger.run, created=at[0], until=until, sessions=sessions)


def _times(ledger: Ledger) -> list[int]:
    """When the store wrote each entry, by number: never before the entry that stands before it."""
    listed = ledger.store.times(layout.ledger(ledger.run))
    said = (listed.get(layout.entry(ledger.run, seq), 0.0) for seq in range(ledger.seq + 1))
    return list(itertools.accumulate((_ms(at) for at in said), max))


def _telling(ledger: Ledger, known: dict[int, Entry]) -> Iterator[Entry]:
    """Those entries that begin or end something, and each session's last checkpoint, in order."""

    def entry(seq: int) -> Entry:
        if seq not in known:
            known[seq] = ledger.entry(seq)
        return known[seq]

    last = ledger.seq
    changes = [0, *_changes(lambda seq: _shape(entry(seq)), 0, last)]
    tips = {(entry(seq).fold["tip"] or (-1,))[0] for seq in {last, *(change - 1 for change in changes if change)}}
    return (entry(seq) for seq in sorted({*changes, *(tip for tip in tips if tip >= 0)}))


def _changes(shape: Callable[[int], object], low: int, high: int) -> Iterator[int]:
    """Those numbers in (low, high] whose shape is not that of the one before. What once changed never changes back."""
    if low == high or shape(low) == shape(high):
        return
    if high - low == 1:
        yield high
        return
    middle = (low + high) // 2
    yield from _changes(shape, low, middle)
    yield from _changes(shape, middle, high)


def _shape(entry: Entry) -> tuple[Any, ...]:
    """Of a fold, all that a checkpoint does not change. A lease has its number in it, and numbers are used once."""
    fold = entry.fold
    return fold["newest"], fold["open"], fold.get("lease"), fold.get("end"), fold.get("tip") is None


def _heard(store: ObjectStore, run: str, stay: Stay) -> Stay:
    """With the last sign of life of a session that could not say itself that it ended."""
    if stay.leased is None or stay.has_reported:
        return stay
    beats = store.times(layout.heartbeat(run, stay.number))
    heard = max([stay.heard or stay.leased, *(_ms(at) for at in beats.values())])
    return replace(stay, heard=heard if stay.ended is None else min(heard, stay.ended))


def _change(found: dict[int, Stay], entry: Entry, **changes: Any) -> None:  # noqa: ANN401 - field values
    number = int(entry.body["session"])
    if number in found:
        found[number] = replace(found[number], **changes)


def _intent(found: dict[int, Stay], entry: Entry, at: int) -> None:
    body = entry.body
    number = int(body["session"])
    found[number] = Stay(
        number=number,
        backend=body["backend"],
        host=body.get("host"),
        gpu=body.get("gpu"),
        carried=bool(body.get("carried")),
        price=body.get("price"),
        asked=at,
        first=entry.fold["reached"],
        last=entry.fold["reached"],
    )


def _launched(found: dict[int, Stay], entry: Entry, at: int) -> None:
    known = found.get(int(entry.body["session"]))
    if known is not None and known.launched is None and known.leased is None and known.ended is None:
        _change(found, entry, launched=at)


def _lease(found: dict[int, Stay], entry: Entry, at: int) -> None:
    for number, other in found.items():  # whoever held the lease before has ended
        if other.leased is not None and other.ended is None:
            why = f"silent; session {entry.body['session']} took over"
            found[number] = replace(other, ended=at, outcome="lost", why=why)
    _change(found, entry, lease_seq=entry.seq, leased=at, heard=at)


def _restored(found: dict[int, Stay], entry: Entry, at: int) -> None:
    number, step = entry.fold["lease"]["session"], int(entry.body["step"])
    told = replace(entry, body={**entry.body, "session": number})
    software = {str(name): str(value) for name, value in entry.body["determinism"].items()}
    machine = {"device": software.pop("device", ""), "software": software, "join": str(entry.body.get("join", ""))}
    _change(found, told, restored=at, heard=at, starting=_spent(entry), first=step, last=step, **machine)


def _checkpoint(found: dict[int, Stay], entry: Entry, at: int) -> None:
    _change(found, entry, committed_at=at, heard=at, committed=_spent(entry), last=int(entry.body["step"]))


def _report(found: dict[int, Stay], entry: Entry, at: int) -> None:
    outcome, why = str(entry.body["outcome"]), str(entry.body["why"])
    _change(found, entry, ended=at, heard=at, reported=_spent(entry), has_reported=True, outcome=outcome, why=why)


def _lost(found: dict[int, Stay], entry: Entry, at: int) -> None:
    _change(found, entry, ended=at, outcome="lost", why=str(entry.body["why"]))


def _refused(found: dict[int, Stay], entry: Entry, at: int) -> None:
    _change(found, entry, ended=at, outcome="refused", why=str(entry.body["why"]))


_TELLS: Mapping[str, Callable[[dict[int, Stay], Entry, int], None]] = {
    "intent": _intent,
    "launched": _launched,
    "lease": _lease,
    "restored": _restored,
    "checkpoint": _checkpoint,
    "report": _report,
    "lost": _lost,
    "refused": _refused,
}


def _spent(entry: Entry) -> Mapping[str, int]:
    return {str(kind): _ms(seconds) for kind, seconds in (entry.body.get("spent") or {}).items()}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
