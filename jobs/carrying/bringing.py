"""Taking a carried session's work into the user's own store.

The crash argument. All that came back is kept first, in one object of the store, so that whoever goes on after a kill
needs nothing from the place any more, which may have lost it by then. Objects come next: until an entry names them they
are garbage that nobody reads, and they are written again by whoever comes next. Then the entries, in order, each
created if absent, with the session's own bytes: killed between two of them, the ledger is what the session's was at
that moment, the number is open and still carried, and the next command goes on behind the head. Two commands at once
write the same bytes. The heartbeat says which entry was seen, so it is written when that entry is there, and before
the report: after it, nobody comes back.

Between two entries the ledger may name states that the session pruned further on, which exist nowhere. Nobody looks for
them: the number keeps everybody else out until it is ended, by its own report or after all that is kept here was taken.
"""

from __future__ import annotations

from facegan import layout
from facegan.ledger import Fold, Ledger
from facegan.storage.base import NotFoundError
from jobs.carrying.judging import Head, Taken, judge
from jobs.carrying.packing import unpack


def bring(ledger: Ledger, number: int, packed: bytes) -> Fold:
    """Take what session `number` left, packed as it came back; the run afterwards.

    Raises:
        SpoiltError: it cannot be taken, and nothing was written.
        UnreachableError: the store does not answer; calling again is safe.
    """
    fold = ledger.refresh()
    seq, digest = ledger.head
    taken = judge(Head(seq=seq, digest=digest, fold=fold), number, unpack(packed))
    ledger.store.put(layout.homecoming(ledger.run, number), packed)
    for key, data in taken.objects.items():
        if key.startswith(layout.DATASETS):
            ledger.store.put_new(key, data)  # an array is every run's: one that is here stays as it is
        else:
            ledger.store.put(key, data)
    if not _append(ledger, number, taken):
        return ledger.refresh()
    for gone in taken.let_go:
        ledger.store.delete(str(ledger.entry(gone).body["key"]) + layout.STATE)
    ledger.store.delete(layout.homecoming(ledger.run, number))
    return ledger.refresh()


def kept(ledger: Ledger, number: int) -> bytes | None:
    """What session `number` left, where a command was killed on the way of taking it."""
    try:
        return ledger.store.get(layout.homecoming(ledger.run, number))
    except NotFoundError:
        return None


def _append(ledger: Ledger, number: int, taken: Taken) -> bool:
    """Whether all entries stand: else another command has found out meanwhile that the session is lost."""
    beat = taken.beat
    for seq, data in taken.entries.items():
        if beat is not None and seq > taken.seen:
            ledger.store.put(layout.heartbeat(ledger.run, number), beat)
            beat = None
        key = layout.entry(ledger.run, seq)
        if not ledger.store.put_new(key, data) and ledger.store.get(key) != data:
            return False
    if beat is not None:
        ledger.store.put(layout.heartbeat(ledger.run, number), beat)
    return True
