"""What of a carried session's work may become history: one pure function of the ledger's head and what came back.

It came over somebody else's machine and account, so nothing in it is believed: entries must follow the head by hash,
be of that session, its one holder and kinds that a session appends, and change the run as the law has it; objects must
be those that they name, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from facegan import layout, session
from facegan.errors import DamagedError
from facegan.ledger import Entry, Fold, IllegalEntryError, form, law
from facegan.ledger import fold as folding
from facegan.ledger.entry import LARGEST_ENTRY, SCHEMA, decode, digest
from jobs.carrying.spoilt import SpoiltError

KINDS = frozenset({"data", "lease", "restored", "checkpoint", "pruned", "report"})
_PIECE = re.compile(r"[0-9]{6,}\.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the ledger at home stands: its newest entry, that entry's digest, and the run's fold."""

    seq: int
    digest: str
    fold: Fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What is to be written, in this order: `objects`, then `entries` by number, the heartbeat after entry `seen`.

    `let_go` are the entries of checkpoints at home whose states the session has pruned in its copy.
    """

    objects: Mapping[str, bytes]
    entries: Mapping[int, bytes]
    beat: bytes | None = None
    seen: int = -1
    let_go: Sequence[int] = ()


def judge(head: Head, number: int, left: Mapping[str, bytes]) -> Taken:
    """What to take of what session `number` left, by key.

    What was taken before, by a command that was killed, is found in its place, and is not among the `entries`.

    Raises:
        SpoiltError: it may not become history; says why.
    """
    run = head.fold.run
    found = {seq: left[key] for key in left if (seq := _seq(run, key)) is not None}
    if head.fold.carried is None or head.fold.carried.number != number:
        raise SpoiltError(f"session {number} has ended meanwhile")
    _require_in_line(head, found)
    decoded = [_decoded(run, seq, found[seq]) for seq in sorted(found)]
    _require_own(decoded, number)
    _require_lawful(head, [entry for entry in decoded if entry.seq > head.seq], found)
    beat, seen = _beat(run, number, left, found)
    return Taken(
        objects={key: left[key] for key in _wanted(run, number, decoded, left)},
        entries={seq: found[seq] for seq in sorted(found) if seq > head.seq},
        beat=beat,
        seen=seen,
        let_go=sorted(_pruned(decoded) - found.keys()),
    )


def _seq(run: str, key: str) -> int | None:
    if not key.startswith(layout.ledger(run)):
        return None
    seq = layout.entry_seq(key)
    if seq is None or key != layout.entry(run, seq):
        raise SpoiltError(f'"{key}" is no place of an entry')
    return seq


def _require_in_line(head: Head, found: Mapping[int, bytes]) -> None:
    """From one after the head, or from what was taken of them before, without a gap."""
    if not found:
        return
    first, last = min(found), max(found)
    if len(found) != last - first + 1 or first > head.seq + 1:
        raise SpoiltError("entries are missing among those that came back")
    if head.seq >= first and digest(found.get(head.seq, b"")) != head.digest:
        raise SpoiltError("the run went on at home meanwhile, and its work cannot follow that")


def _decoded(run: str, seq: int, data: bytes) -> Entry:
    if len(data) > LARGEST_ENTRY:
        raise SpoiltError(f"entry {seq} has more bytes than anybody would read")
    try:
        return form.require(decode(data, layout.entry(run, seq)), run, seq)
    except DamagedError as error:
        raise SpoiltError(error.message) from error


def _require_own(entries: Sequence[Entry], number: int) -> None:
    for entry in entries:
        if entry.kind not in KINDS or entry.schema > SCHEMA:
            raise SpoiltError(f'entry {entry.seq}, "{entry.kind}", is not for a session to append')
        if entry.body.get("session", number) != number:
            raise SpoiltError(f"entry {entry.seq} is of session {entry.body['session']}, not of {number}")
        if entry.by != entries[0].by:
            raise SpoiltError(f"entry {entry.seq} is by another than entry {entries[0].seq}")


def _require_lawful(head: Head, entries: Sequence[Entry], found: Mapping[int, bytes]) -> None:
    fold, before = head.fold, head.digest
    for entry in entries:
        if entry.prev != before:
            raise SpoiltError(f"entry {entry.seq} does not follow the one before it")
        try:
            fold = law.apply(fold, entry.seq, entry.by, entry.kind, entry.body)
        except IllegalEntryError as error:
            raise SpoiltError(error.message) from error
        if fold != folding.from_json(entry.fold):
            raise SpoiltError(f"entry {entry.seq} records another state of the run than its entries make")
        before = digest(found[entry.seq])


def _wanted(run: str, number: int, entries: Sequence[Entry], left: Mapping[str, bytes]) -> Iterator[str]:
    """The keys of the objects to take, a data set's manifest last. Whatever has no business here is refused."""
    arrays = [layout.dataset(e.body["name"], e.body["digest"]) for e in entries if e.kind == "data"]
    ours = (layout.session(run, number), layout.ledger(run), *arrays)
    for key in left:
        if key.startswith(layout.DATASETS) and not key.startswith(tuple(arrays)):
            continue  # of an array that it had no time to finish
        if not key.startswith(ours) and layout.checkpoint_session(run, key) != number:
            raise SpoiltError(f'"{key}" is not for session {number} to write')
    gone = _pruned(entries)
    for entry in entries:
        if entry.kind == "checkpoint":
            yield from _whole(entry, left, pruned=entry.seq in gone)
    output = layout.output(run, number)
    yield from (key for key in left if key.startswith(output) and _PIECE.fullmatch(key.removeprefix(output)))
    of_arrays = [key for key in left if arrays and key.startswith(tuple(arrays))]
    yield from sorted(of_arrays, key=lambda key: key.endswith(layout.MANIFEST))


def _pruned(entries: Sequence[Entry]) -> set[int]:
    return {seq for entry in entries if entry.kind == "pruned" for seq in entry.body["checkpoints"]}


def _whole(entry: Entry, left: Mapping[str, bytes], *, pruned: bool) -> Iterator[str]:
    for name, said in entry.body["objects"].items():
        key = entry.body["key"] + name
        if pruned and name == layout.STATE:
            continue
        data = left.get(key)
        if data is None or len(data) != said["size"] or digest(data) != said["sha256"]:
            raise SpoiltError(f'"{key}" is {"missing" if data is None else "not what its entry says"}')
        yield key


def _beat(run: str, number: int, left: Mapping[str, bytes], found: Mapping[int, bytes]) -> tuple[bytes | None, int]:
    """The session's last heartbeat and the entry that it has seen; none that has seen anything else."""
    key = layout.heartbeat(run, number)
    if len(left.get(key, b"")) > session.LARGEST_BEAT:
        return None, -1
    beat = session.decode(left.get(key, b""))
    if beat is None or beat.seq not in found or digest(found[beat.seq]) != beat.digest:
        return None, -1
    return left[key], beat.seq
