"""What this machine remembers of runs that can change no more, so that listing costs nothing for them.

A cache: it may be deleted at any time. A run is remembered by what its ledger said when it was final;
only `resume --steps` makes a finished run change again, and forgets it here. Typed on another machine it
is not noticed here by `ps`; `status` reads the run itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from facegan.experiment import Json

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS ended (store TEXT, run TEXT, at REAL, view TEXT, PRIMARY KEY (store, run))",
    "CREATE TABLE IF NOT EXISTS watched (store TEXT, run TEXT, PRIMARY KEY (store, run))",
    "CREATE TABLE IF NOT EXISTS synced (store TEXT, run TEXT, tracking TEXT, PRIMARY KEY (store, run, tracking))",
)


class EndedRuns:
    """One store's final runs. Safe under many processes."""

    def __init__(self, home: Path, store_url: str) -> None:
        self._path = home / "cache" / "ended.db"
        self._store = store_url

    def names(self) -> set[str]:
        return {row[0] for row in self._ask("SELECT run FROM ended WHERE store = ?", self._store)}

    def watched(self) -> set[str]:
        """Those that a watch has seen end: what there was to tell was told, and MLflow has them whole."""
        return {row[0] for row in self._ask("SELECT run FROM watched WHERE store = ?", self._store)}

    def watch_ended(self, runs: Sequence[str]) -> None:
        """No watch of this machine has to look at these again."""
        if runs:
            self._write("INSERT OR REPLACE INTO watched VALUES (?, ?)", [(self._store, run) for run in runs])

    def newest(self, count: int | None) -> list[Json]:
        """The views of those that ended last, the newest first; all of them for `None`."""
        rows = self._ask(
            "SELECT view FROM ended WHERE store = ? ORDER BY at DESC LIMIT ?",
            self._store,
            -1 if count is None else count,
        )
        return [json.loads(row[0]) for row in rows]

    def remember(self, views: list[Json]) -> None:
        if not views:
            return
        rows = [(self._store, view["run"], view["at"], json.dumps(view)) for view in views]
        self._write("INSERT OR REPLACE INTO ended VALUES (?, ?, ?, ?)", rows)

    def unsynced(self, tracking: str) -> list[str]:
        """Those that a tracking server is not known to have whole."""
        question = (
            "SELECT run FROM ended WHERE store = ?1 EXCEPT SELECT run FROM synced WHERE store = ?1 AND tracking = ?2"
        )
        return [row[0] for row in self._ask(question, self._store, tracking)]

    def synced(self, tracking: str, runs: Sequence[str]) -> None:
        """Remember that a tracking server has these runs whole. Only final ones are asked about again."""
        self._write("INSERT OR REPLACE INTO synced VALUES (?, ?, ?)", [(self._store, run, tracking) for run in runs])

    def forget(self, run: str) -> None:
        if self._path.exists():
            with closing(self._open()) as database, database:
                for table in ("ended", "watched", "synced"):
                    database.execute(f"DELETE FROM {table} WHERE store = ? AND run = ?", (self._store, run))  # noqa: S608

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._open()) as database, database:
            database.executemany(statement, rows)

    def _ask(self, question: str, *values: object) -> list[tuple[str]]:
        if not self._path.exists():
            return []
        with closing(self._open()) as database:
            return database.execute(question, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # not a database any more: it is a cache, and begins anew
            self._path.unlink(missing_ok=True)
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=10)
        try:
            for table in _SCHEMA:
                database.execute(table)
        except sqlite3.Error:
            database.close()
            raise
        return database
