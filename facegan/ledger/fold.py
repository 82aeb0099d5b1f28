"""What a run is, folded from its entries. Which entry may follow, and what the fold is then, is the law's (`law`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from facegan.experiment import Json


class State(StrEnum):
    """What a run is doing, as far as its ledger knows."""

    CREATED = "created"
    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FAILED = "failed"
    CANCELLED = "cancelled"
    FINISHED = "finished"


FINAL = frozenset({State.FINISHED, State.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session number that has not ended: asked for, and leased once `by` is set.

    `host` is which of the backend's engines, regions or accounts was asked, `bundle` what is to run there; `ref` is
    the backend's, `machine` the process itself, said by its lease or its own intent. One that is `carried` works on a
    copy of the run elsewhere: until it has ended, nothing is appended here but what it brings back. `limit_s` is how
    long it may take, in seconds, where the user's budget says so.
    """

    number: int
    backend: str
    host: str | None = None
    gpu: str | None = None
    bundle: Json | None = None
    ref: Json | None = None
    by: str | None = None
    machine: Json | None = None
    carried: bool = False
    limit_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The newest lease: entries of a session are legal only from this holder."""

    session: int
    by: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the session that ended last ended, and where it was."""

    session: int
    kind: str
    outcome: str
    why: str
    backend: str = ""
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A run, folded. Small: it travels in every entry.

    `good` are the checkpoints that can be restored, as (seq, step), oldest first; `tip` the one the
    lease holder continues from, (-1, 0) when it began at step 0. `reached` is the highest step ever
    committed, `gaps` the ranges (first, last) of steps whose committed metrics were found damaged.
    `open` are the numbers that have not ended. A lease ends every number leased before it. `upload_s` is how
    long a checkpoint takes to commit; `determinism` the class of machine that trained last. `data` is the digest of
    the array that a session had to prepare, once it is uploaded.
    """

    run: str
    experiment: str
    steps: int
    reached: int = 0
    good: tuple[tuple[int, int], ...] = ()
    tip: tuple[int, int] | None = None
    gaps: tuple[tuple[int, int], ...] = ()
    newest: int = 0
    open: tuple[OpenSession, ...] = ()
    lease: Lease | None = None
    end: End | None = None
    stop: bool = False
    cancel: bool = False
    upload_s: float = 0.0
    determinism: Mapping[str, str] = field(default_factory=dict)
    tracked: Mapping[str, Json] = field(default_factory=dict)
    data: str | None = None

    def session(self, number: int) -> OpenSession | None:
        return next((found for found in self.open if found.number == number), None)

    @property
    def finished(self) -> bool:
        return self.reached >= self.steps

    @property
    def holder(self) -> OpenSession | None:
        """The session that holds the lease, as long as its number has not ended."""
        return self.session(self.lease.session) if self.lease else None

    def holds(self, by: str) -> bool:
        return self.holder is not None and self.holder.by == by

    def wants_metrics_of(self, step: int) -> bool:
        """Whether history lacks this step's metrics: first committed is committed for ever."""
        return step > self.reached or any(first <= step <= last for first, last in self.gaps)

    @property
    def carried(self) -> OpenSession | None:
        """The session that works on a copy of the run elsewhere, if one does: it is the only one that is open."""
        return next((found for found in self.open if found.carried), None)

    @property
    def state(self) -> State:
        """The first that applies."""
        current = self.open[-1] if self.open else None
        if self.finished:
            return State.FINISHED
        if self.cancel:
            return State.CANCELLED
        if current:
            return State.RUNNING if current.by else State.QUEUED
        if self.stop:
            return State.STOPPED
        if self.end is None:
            return State.CREATED
        return State.FAILED if self.end.outcome == "failed" else State.INTERRUPTED

    @property
    def stopping(self) -> bool:
        """A flag beside the state: the user's word is out, and a session has not ended yet."""
        return (self.stop or self.cancel) and bool(self.open)


def to_json(fold: Fold) -> Json:
    return dataclasses.asdict(fold)


def from_json(value: Mapping[str, Any]) -> Fold:
    """The inverse of `to_json`. Fields this version does not know are left out."""
    known = {f.name for f in dataclasses.fields(Fold)}
    fields = {name: item for name, item in value.items() if name in known}
    fields["open"] = tuple(_some(OpenSession, item) for item in value.get("open", ()))
    fields["lease"] = _some(Lease, value["lease"]) if value.get("lease") else None
    fields["end"] = _some(End, value["end"]) if value.get("end") else None
    for name in ("good", "gaps"):
        fields[name] = tuple((int(a), int(b)) for a, b in value.get(name, ()))
    fields["tip"] = tuple(value["tip"]) if value.get("tip") else None
    return Fold(**fields)


def _some(kind: type[Any], value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of the dataclasses above
    known = {f.name for f in dataclasses.fields(kind)}
    return kind(**{name: item for name, item in value.items() if name in known})
