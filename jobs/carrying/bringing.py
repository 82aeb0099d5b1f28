"""Taking a carried session's work into the user's own store.

The crash argument. Objects come first: until an entry names them they are garbage that nobody reads, and they are
written again by whoever comes next. Then the entries, in order, each created if absent, with the session's own bytes:
killed between two of them, the ledger is what the session's was at that moment, the number is open and still carried,
and the next command goes on behind the head. Two commands at once write the same bytes. The heartbeat says which
entry was seen, so it is written when that entry is there, and before the report: after it, nobody comes back.

Between two entries the ledger may name states that the session pruned further on, which exist nowhere. Nobody looks for
them: the number keeps everybody else out. Only who then destroys what the place keeps, and so ends the number, finds
the run with its older checkpoints.
"""

from __future__ import annotations

from facegan import layout
from facegan.ledger import Fold, Ledger
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
    for key, data in taken.objects.items():
        ledger.store.put(key, data)
    _append(ledger, number, taken)
    for gone in taken.let_go:
        ledger.store.delete(str(ledger.entry(gone).body["key"]) + layout.STATE)
    return ledger.refresh()


def _append(ledger: Ledger, number: int, taken: Taken) -> None:
    beat = taken.beat
    for seq, data in taken.entries.items():
        if beat is not None and seq > taken.seen:
            ledger.store.put(layout.heartbeat(ledger.run, number), beat)
            beat = None
        key = layout.entry(ledger.run, seq)
        if not ledger.store.put_new(key, data) and ledger.store.get(key) != data:
            return  # another command has found out meanwhile that the session is lost
    if beat is not None:
        ledger.store.put(layout.heartbeat(ledger.run, number), beat)
