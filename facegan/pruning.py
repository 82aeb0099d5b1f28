"""Letting go of old states: which, in what order, and what was left behind.

The crash argument. `pruned` is appended before a state is deleted, so that nobody goes looking for what
may be gone; killed between the two, a state is left that no reader misses, and the next `sweep` finds it:
it is listed, and an entry says that it was let go of. While a session is choosing what it continues from,
only that session may append `pruned` (the law in `ledger.fold`), so no state is deleted that it reads.
Objects that no entry names are deleted only below numbers that have ended: such a number never commits
again, so what is un-named now is so for ever, although its process may still be uploading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from facegan import layout
from facegan.checkpoints import not_holder
from facegan.ledger import Entry, Fold, Ledger, Wish

LEAST = 2  # good checkpoints that always stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which states stay: the `newest` so many, and the first at or after every multiple of `every` steps."""

    newest: int
    every: int | None = None

    def spare(self, good: Sequence[tuple[int, int]]) -> list[int]:
        """The entries whose states may go, of the good checkpoints (seq, step), oldest first."""
        old = good[: -max(self.newest, LEAST)]
        if self.every is None:
            return [seq for seq, _ in old]
        firsts: dict[int, int] = {}
        for seq, step in good:
            firsts.setdefault(step // self.every, seq)
        firsts.pop(0, None)  # before the first multiple
        kept = set(firsts.values())
        return [seq for seq, _ in old if seq not in kept]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An object that a sweep deletes: its key, its bytes, and why nobody misses it."""

    key: str
    size: int
    why: str


def prune(ledger: Ledger, policy: Policy) -> Sequence[int]:
    """Let go of the states that the session's policy spares; the entries whose states were deleted.

    Raises:
        NotHolderError: the lease is another's by now.
    """
    if not policy.spare(ledger.fold.good):
        return ()
    pruned: list[int] = []

    def decide(fold: Fold) -> Wish | None:
        if not fold.holds(ledger.writer.holder):
            raise not_holder(fold)
        pruned[:] = policy.spare(fold.good)
        return _wish(pruned)

    ledger.append(decide)
    for seq in pruned:
        ledger.store.delete(_state(ledger.entry(seq)))
    return pruned


def sweep(ledger: Ledger, policy: Policy) -> list[Leftover]:
    """What may be deleted of a run, by whoever has a right to: nothing is written here.

    First the states that the policy spares, oldest first. A checkpoint of which something is missing, or
    has another size than its entry says, does not count among those kept. Then the states that were let go
    of before and are still there, and the objects that no entry names, of numbers that have ended.

    Raises:
        NoRunError: there is no such run.
        DamagedError: an entry is missing or not as it was written.
    """
    entries = list(ledger.entries())
    there = ledger.store.sizes(layout.checkpoints(ledger.run))
    committed = {entry.seq: entry for entry in entries if entry.kind == "checkpoint"}
    fold = ledger.fold
    good = [point for point in fold.good if point[0] in committed and _is_whole(committed[point[0]], there)]
    spare = [_state(committed[seq]) for seq in policy.spare(good)]
    pruned = {seq for entry in entries if entry.kind == "pruned" for seq in entry.body["checkpoints"]}
    cut_off = [_state(committed[seq]) for seq in sorted(pruned & committed.keys())]
    found = [Leftover(key=key, size=there[key], why=OLD) for key in spare]
    found += [Leftover(key=key, size=there[key], why=CUT_OFF) for key in cut_off if key in there]
    named = {entry.body["key"] + name for entry in committed.values() for name in entry.body["objects"]}
    return found + [
        Leftover(key=key, size=size, why=UNNAMED)
        for key, size in there.items()
        if key not in named and _has_ended(fold, ledger.run, key)
    ]


OLD = "an old state"
CUT_OFF = "a state let go of before"
UNNAMED = "named by no entry"


def remove(ledger: Ledger, leftovers: Sequence[Leftover]) -> Iterator[Leftover]:
    """Delete what a sweep has found, each as it is asked for; yields what is gone.

    Old states are named by `pruned` first. One that another writer has let go of meanwhile is deleted all the
    same; one that has become precious (a session continues from it) is kept.

    Raises:
        IllegalEntryError: a session is choosing what it continues from: try again in a minute.
    """
    old = {left.key for left in leftovers if left.why == OLD}
    gone = _name(ledger, old) if old else set()
    for left in leftovers:
        if left.why != OLD or left.key in gone:
            ledger.store.delete(left.key)
            yield left


def _name(ledger: Ledger, keys: set[str]) -> set[str]:
    """Append `pruned` for the checkpoints whose states these are; those that were named, by now or before."""
    states = {seq: _state(ledger.entry(seq)) for seq, _ in ledger.refresh().good}
    wanted = {seq for seq, key in states.items() if key in keys}

    def decide(fold: Fold) -> Wish | None:
        free = [seq for seq, _ in fold.good[:-LEAST] if fold.tip is None or seq != fold.tip[0]]
        return _wish([seq for seq in free if seq in wanted])

    good = {seq for seq, _ in ledger.append(decide).good}
    return keys - {states[seq] for seq in wanted & good}


def _wish(seqs: Sequence[int]) -> Wish | None:
    return Wish(kind="pruned", body={"checkpoints": list(seqs)}) if seqs else None


def _state(entry: Entry) -> str:
    return str(entry.body["key"]) + layout.STATE


def _is_whole(entry: Entry, there: Mapping[str, int]) -> bool:
    key = entry.body["key"]
    return all(there.get(key + name) == said["size"] for name, said in entry.body["objects"].items())


def _has_ended(fold: Fold, run: str, key: str) -> bool:
    """Whether an object below `checkpoints/` belongs to a number that never commits again."""
    number = layout.checkpoint_session(run, key)
    return number is not None and 1 <= number <= fold.newest and fold.session(number) is None
