"""What a session says while it lives: its heartbeat, the one object in a store that is overwritten."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from facegan import layout
from facegan.storage.base import NotFoundError, ObjectStore, TooLargeError

LARGEST_BEAT = 64 << 10  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Written every few seconds by the lease holder alone.

    `counter` grows with every beat: a watcher compares counters, never clocks. `seq` and
    `digest` are the newest ledger entry the holder has seen: a ledger without it has lost entries. `rate`
    is steps a second; `losses` the newest metrics; `phase` what the session is doing, in a word;
    `left_s` how long it may go on at the most, `None` where nothing limits it.
    """

    counter: int
    seq: int
    digest: str
    phase: str
    step: int = 0
    rate: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    device: str = ""
    at: str = ""
    left_s: float | None = None


def write(store: ObjectStore, run: str, number: int, beat: Heartbeat) -> None:
    fields = dataclasses.asdict(beat)
    data = json.dumps({**fields, "check": _check(fields)}, separators=(",", ":")).encode()
    store.put(layout.heartbeat(run, number), data)


def read(store: ObjectStore, run: str, number: int) -> Heartbeat | None:
    """The session's newest heartbeat; `None` before the first, or when it is not as it was written."""
    try:
        return decode(store.get(layout.heartbeat(run, number), at_most=LARGEST_BEAT))
    except (NotFoundError, TooLargeError):
        return None


def decode(data: bytes) -> Heartbeat | None:
    """A heartbeat of these bytes; `None` when they are none, or not as they were written."""
    try:
        fields = json.loads(data)
        if fields.pop("check") != _check(fields):
            return None
        known = {f.name for f in dataclasses.fields(Heartbeat)}
        return Heartbeat(**{name: value for name, value in fields.items() if name in known})
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None  # a damaged heartbeat says nothing, and the next one heals it


def _check(fields: Mapping[str, object]) -> str:
    """A damaged head must not pass for one that a session has seen: it would keep everybody out."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
