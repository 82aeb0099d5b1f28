"""How far this machine has seen each run's ledger: evidence that outlives the store's own.

The hash chain proves that nothing under the newest entry was changed. It cannot prove that this entry was the newest:
a ledger that was cut off, or taken back to an older copy, looks as good as any. Who has seen a later entry knows.

The crash argument: what is remembered is written whole, in one transaction, after it was read, and only ever replaced
by an entry further on in the same chain. Killed anywhere, what stands is an entry that the ledger had, and must have.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from facegan.ledger import Ledger
from facegan.verify import Finding, Head, lacks
from jobs.tables import opened

_TABLES = {
    "heads": "store TEXT, run TEXT, seq INTEGER, digest TEXT, PRIMARY KEY (store, run)",
    "accepted": "store TEXT, run TEXT, PRIMARY KEY (store, run)",
}
_FURTHER = (
    "INSERT INTO heads VALUES (?, ?, ?, ?) ON CONFLICT (store, run) DO UPDATE SET seq = excluded.seq, "
    "digest = excluded.digest WHERE excluded.seq > heads.seq"
)


class Heads:
    """What this machine has seen of the runs of one store. Safe under many processes."""

    def __init__(self, home: Path, store_url: str) -> None:
        self._path = home / "heads.db"
        self._store = store_url

    def seen(self, run: str) -> Head | None:
        """The newest entry that was seen here; `None` if none was, or nothing can be read."""
        if not self._path.exists():
            return None
        with contextlib.suppress(sqlite3.Error, OSError), opened(self._path, _TABLES) as database:
            question = "SELECT seq, digest FROM heads WHERE store = ? AND run = ?"
            row = database.execute(question, (self._store, run)).fetchone()
            return Head(seq=row[0], digest=row[1]) if row else None
        return None

    def remember(self, run: str, head: Head) -> None:
        """Remember this entry, unless a later one was seen. Nothing depends on it: what cannot be written is not."""
        with contextlib.suppress(sqlite3.Error, OSError), opened(self._path, _TABLES) as database:
            database.execute(_FURTHER, (self._store, run, head.seq, head.digest))

    def forget(self, run: str) -> None:
        """A run that was removed may be made anew under its name."""
        self._delete("heads", run)
        self._delete("accepted", run)

    def accept(self, run: str) -> None:
        """Its ledger is taken as it is: forget what was seen of it, and have the next copy take MLflow's mark back."""
        self._delete("heads", run)
        with contextlib.suppress(sqlite3.Error, OSError), opened(self._path, _TABLES) as database:
            database.execute("INSERT OR REPLACE INTO accepted VALUES (?, ?)", (self._store, run))

    def accepted(self, runs: Sequence[str]) -> list[str]:
        """Which of these MLflow was not told of yet that they are accepted as they are."""
        if not self._path.exists():
            return []
        with contextlib.suppress(sqlite3.Error, OSError), opened(self._path, _TABLES) as database:
            rows = database.execute("SELECT run FROM accepted WHERE store = ?", (self._store,)).fetchall()
            return [run for (run,) in rows if run in runs]
        return []

    def told(self, runs: Sequence[str]) -> None:
        """MLflow has these as they are now."""
        for run in runs:
            self._delete("accepted", run)

    def _delete(self, table: str, run: str) -> None:
        if self._path.exists():
            with contextlib.suppress(sqlite3.Error, OSError), opened(self._path, _TABLES) as database:
                database.execute(f"DELETE FROM {table} WHERE store = ? AND run = ?", (self._store, run))  # noqa: S608


HERE = "this machine"


def look(heads: Heads, ledger: Ledger) -> Finding | None:
    """Hold the ledger, as it was just read, against what this machine has seen of it, and remember how far it is now.

    What it lacks, if anything; then what was seen before stays remembered. One request where the run has moved.
    """
    seq, digest = ledger.head
    now = Head(seq=seq, digest=digest)
    seen = heads.seen(ledger.run)
    if seen is not None and seen != now and (found := lacks(ledger, seen, HERE)) is not None:
        return found
    if seen != now:
        heads.remember(ledger.run, now)
    return None
