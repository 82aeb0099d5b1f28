"""The sessions of a run as its ledger tells them: where each ran, how long, and how it ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from facegan.ledger import Entry

OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session.

    `first` and `last` are the steps it continued from and last committed. `took_s` is the wall-clock time it
    reported, its start included; a session that could not report any more is counted from its lease to its
    last entry, and `reported` is false. `join` says how much may be claimed of the bits: "exact" or
    "statistical"; it is empty for a session that never trained.
    """

    number: int
    backend: str = ""
    device: str = ""
    software: str = ""
    join: str = ""
    first: int = 0
    last: int = 0
    took_s: float = 0.0
    reported: bool = False
    outcome: str = OPEN
    why: str = ""
    began: str = ""


def sessions(entries: Iterable[Entry]) -> tuple[Session, ...]:
    """All sessions that the entries of one ledger speak of, by number."""
    found: dict[int, Session] = {}
    for entry in entries:
        if entry.kind in _TELLS:
            _TELLS[entry.kind](found, entry)
    return tuple(found[number] for number in sorted(found))


Found = dict[int, Session]


def _change(found: Found, entry: Entry, **changes: object) -> None:
    number = int(entry.body["session"])
    found[number] = dataclasses.replace(found.get(number, Session(number=number)), **changes)  # type: ignore[arg-type]


def _intent(found: Found, entry: Entry) -> None:
    _change(found, entry, backend=str(entry.body["backend"]))


def _lease(found: Found, entry: Entry) -> None:
    over = entry.body.get("over")
    if over in found:
        found[over] = dataclasses.replace(
            found[over], outcome="lost", why=f"silent; session {entry.body['session']} took over"
        )
    _change(found, entry, began=entry.at)


def _restored(found: Found, entry: Entry) -> None:
    machine: Mapping[str, str] = entry.body["determinism"]
    software = ", ".join(f"{name} {value}" for name, value in sorted(machine.items()) if name != "device")
    _change(
        found,
        entry,
        device=machine.get("device", ""),
        software=software,
        join=str(entry.body["join"]),
        first=int(entry.body["step"]),
        last=int(entry.body["step"]),
    )


def _checkpoint(found: Found, entry: Entry) -> None:
    session = found.get(int(entry.body["session"]))
    _change(found, entry, last=int(entry.body["step"]), took_s=_seconds(session.began if session else "", entry.at))


def _report(found: Found, entry: Entry) -> None:
    took_s = float(entry.body.get("took_s", 0.0))
    _change(found, entry, outcome=str(entry.body["outcome"]), why=str(entry.body["why"]), took_s=took_s, reported=True)


def _lost(found: Found, entry: Entry) -> None:
    _change(found, entry, outcome="lost", why=str(entry.body["why"]))


def _refused(found: Found, entry: Entry) -> None:
    _change(found, entry, outcome="refused", why=str(entry.body["why"]))


_TELLS: Mapping[str, Callable[[Found, Entry], None]] = {
    "intent": _intent,
    "lease": _lease,
    "restored": _restored,
    "checkpoint": _checkpoint,
    "report": _report,
    "lost": _lost,
    "refused": _refused,
}


def _seconds(began: str, ended: str) -> float:
    """Between two times as entries say them. They are for people: a clock that was set back counts nothing."""
    try:
        return max(0.0, (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
    except ValueError:
        return 0.0
