"""Checkpoints: uploaded first, then named by an entry; restored only when verified whole.

The crash argument. Objects go up under a key that belongs to one step and one session number, which
one holder ever leases; until the ledger names them they are garbage that nobody reads. The entry is
created last, so a named checkpoint is a whole one. `pruned` is appended before its states are deleted,
so nobody goes looking for what may be gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from facegan import layout
from facegan.errors import DamagedError, NotHolderError, UnreachableError
from facegan.experiment import Json
from facegan.ledger import Entry, Fold, Ledger, Wish
from facegan.ledger.entry import LARGEST_ENTRY, digest
from facegan.ledger.fold import from_json
from facegan.storage.base import LARGEST, NotFoundError, ObjectStore, RefusedError, TooLargeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One step's metrics, with the wall time (ms since 1970) at which they were first made."""

    step: int
    at: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture of the fixed latents at a step: a PNG file."""

    step: int
    name: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A named object that is not what was committed: `how` it differs."""

    seq: int
    object: str
    how: str

    def __str__(self) -> str:
        return f"{self.object} {self.how}"


class ObjectDamagedError(DamagedError):
    """One object of a checkpoint is damaged."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(f"{damage}", hint="facegan-job verify names every damaged object of a run")
        self.damage = damage


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a session continues from: `state` is `None` when that is step 0 of an untouched run."""

    step: int
    state: bytes | None
    damaged: Sequence[Damage] = ()


def encode_metrics(points: Sequence[Point]) -> bytes:
    """One JSON object a line: `step`, `at` and the values. A NaN never comes so far."""
    lines = (json.dumps({"step": p.step, "at": p.at, **p.values}, allow_nan=False) for p in points)
    return "".join(f"{line}\n" for line in lines).encode()


def decode_metrics(data: bytes) -> list[Point]:
    """The inverse of `encode_metrics`, for bytes that were committed by nobody knows whom.

    Raises:
        DamagedError: they are no metrics.
    """
    try:
        return [_point(json.loads(line)) for line in data.decode().splitlines()]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise DamagedError(f"what was committed as metrics is none: {error!r}") from error


def _point(fields: Json) -> Point:
    step, at = fields.pop("step"), fields.pop("at")
    if not all(isinstance(it, (int, float)) and not isinstance(it, bool) for it in (step, at, *fields.values())):
        raise TypeError("not a number")
    return Point(step=step, at=at, values=fields)


def commit(  # noqa: PLR0913 - what a checkpoint is made of
    ledger: Ledger,
    *,
    session: int,
    step: int,
    state: bytes,
    points: Sequence[Point],
    samples: Sequence[Sample],
    clock: Callable[[], float],
    spent: Mapping[str, float] | None = None,
) -> Fold:
    """Upload the objects, then append the entry that makes them history.

    `points` and `samples` are those since the step continued from. Of the points, those of steps whose
    metrics are history already are left out: what was committed first stays. `spent` is what the session had spent
    its time on when it had made this state (`facegan.spent`).

    Raises:
        NotHolderError: the lease is another's by now; what was uploaded is garbage.
        UnreachableError: no answer; calling again with the same arguments is safe.
    """
    began = clock()
    before = ledger.fold
    if not before.holds(ledger.writer.holder) or before.tip is None:
        raise not_holder(before)
    if before.tip[1] == step:
        return before  # an attempt whose answer was lost: its objects are named by now, and not to be touched
    if len(state) > LARGEST:
        raise RefusedError(
            f"the state has {len(state):,} bytes, and a checkpoint's objects may have {LARGEST:,} each",
            hint="train a smaller model",
        )
    folder = layout.checkpoint(ledger.run, step, session)
    wanted = [point for point in points if before.wants_metrics_of(point.step)]
    objects = {
        layout.STATE: state,
        layout.METRICS: encode_metrics(wanted),
        **{layout.sample(s.step, s.name): s.png for s in samples},
    }
    for name, data in objects.items():
        ledger.store.put(folder + name, data)
    sizes = {name: {"size": len(data), "sha256": digest(data)} for name, data in objects.items()}

    def decide(fold: Fold) -> Wish | None:
        if not fold.holds(ledger.writer.holder) or fold.tip is None:
            raise not_holder(fold)
        if fold.tip[1] == step:
            return None
        body = {
            "session": session,
            "step": step,
            "parent": fold.tip[0],
            "key": folder,
            "objects": sizes,
            "took_s": round(clock() - began, 3),
            **({} if spent is None else {"spent": dict(spent)}),
        }
        return Wish(kind="checkpoint", body=body)

    return ledger.append(decide)


def not_holder(fold: Fold) -> NotHolderError:
    """The error of a session whose lease is another's, or whose number has ended."""
    if fold.holder:
        return NotHolderError(f"session {fold.holder.number} holds the run by now; nothing more is written here")
    return NotHolderError("this session was declared ended; nothing more is written here")


def restore(ledger: Ledger) -> Restored:
    """The newest checkpoint that is whole, verified as it is read. Appends nothing.

    Raises:
        DamagedError: checkpoints were committed and none is whole; names the newest's damage.
        UnreachableError: the storage did not answer: nothing is concluded from that.
    """
    fold = ledger.refresh()
    ledger.linked(ledger.seq)
    damaged: list[Damage] = []
    for seq, step in reversed(fold.good):
        whole, found = read_whole(ledger.store, _vouched_for(ledger, seq, step))
        if not found:
            return Restored(step=step, state=whole[layout.STATE], damaged=damaged)
        damaged += found
    if fold.reached > 0:
        raise DamagedError(
            f'no checkpoint of run "{ledger.run}" is whole: {damaged[0] if damaged else "none is left"}',
            hint=f"facegan-job verify {ledger.run} names every damaged object; "
            "a run with a history never starts again from step 0",
        )
    return Restored(step=0, state=None)


def _vouched_for(ledger: Ledger, seq: int, step: int) -> Entry:
    """The entry of a good checkpoint: nothing that it names was fetched yet.

    Raises:
        DamagedError: it is no checkpoint of that step, or does not follow the entry before it.
    """
    entry = ledger.linked(seq)
    if entry.kind != "checkpoint" or entry.body["step"] != step:
        raise DamagedError(
            f'the ledger entry "{layout.entry(ledger.run, seq)}" is not the checkpoint of step {step:,}',
            hint=f"facegan-job verify {ledger.run} names every entry that may not stand where it stands",
        )
    return entry


def restored_wish(ledger: Ledger, restored: Restored, facts: Json) -> Wish:
    """The entry that says what a session continues from, and what it found damaged on the way."""
    seqs = {step: seq for seq, step in ledger.fold.good}
    body = {
        "checkpoint": None if restored.state is None else seqs[restored.step],
        "step": restored.step,
        "damaged": [_damaged_body(ledger, damage) for damage in restored.damaged],
        **facts,
    }
    return Wish(kind="restored", body=body)


def _damaged_body(ledger: Ledger, damage: Damage) -> Json:
    body: Json = {"seq": damage.seq, "object": damage.object, "how": damage.how}
    if damage.object.endswith(layout.METRICS):
        body["metrics"] = _made_history(ledger, ledger.entry(damage.seq))
    return body


def _made_history(ledger: Ledger, entry: Entry) -> Sequence[tuple[int, int]]:
    """The ranges of steps whose metrics a checkpoint holds: those that history lacked when it was committed."""
    before = from_json(ledger.entry(entry.seq - 1).fold)
    first, last = (before.tip or (-1, 0))[1] + 1, int(entry.body["step"])
    lacking = (*before.gaps, (before.reached + 1, last))
    return [(max(first, a), min(last, b)) for a, b in lacking if max(first, a) <= min(last, b)]


def read_whole(store: ObjectStore, entry: Entry) -> tuple[dict[str, bytes], list[Damage]]:
    """Every object of a committed checkpoint, and every one that is not what its entry says."""
    whole: dict[str, bytes] = {}
    damaged: list[Damage] = []
    for name in entry.body["objects"]:
        try:
            whole[name] = read(store, entry, name)
        except ObjectDamagedError as error:
            damaged.append(error.damage)
    return whole, damaged


def read(store: ObjectStore, entry: Entry, name: str) -> bytes:
    """One object of a committed checkpoint, as it was committed.

    Damage is a size or hash that is wrong on two downloads, or an object that is missing while its entry
    can still be read. Anything else says nothing about the object.

    Raises:
        ObjectDamagedError: it is damaged.
        UnreachableError: no answer.
    """
    said = entry.body["objects"][name]
    key = entry.body["key"] + name
    how = ""
    for _ in range(2):
        try:
            data = store.get(key, at_most=said["size"])
        except NotFoundError:
            how = "is missing"
            _require_answer(store, entry)
            continue
        except TooLargeError:
            how = f"has more than {said['size']:,} bytes"
            continue
        if len(data) == said["size"] and digest(data) == said["sha256"]:
            return data
        sizes = f"has {len(data):,} bytes, not {said['size']:,}"
        how = sizes if len(data) != said["size"] else "has another SHA-256"
    raise ObjectDamagedError(Damage(seq=entry.seq, object=key, how=how))


def _require_answer(store: ObjectStore, entry: Entry) -> None:
    """Find the entry where it was read before: a storage that has lost it as well has lost more than an object.

    Raises:
        UnreachableError: it is not there.
    """
    key = layout.entry(entry.body["key"].split("/")[1], entry.seq)
    try:
        store.get(key, at_most=LARGEST_ENTRY)
    except NotFoundError:
        raise UnreachableError(f'{store.url} does not find "{key}" any more, which it had a moment ago') from None
