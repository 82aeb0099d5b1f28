"""Small tables that this machine keeps in FACEGAN_HOME: written whole or not at all, by any number of processes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

PATIENCE_S = 10.0  # for another process that writes


@contextlib.contextmanager
def opened(path: Path, tables: Mapping[str, str]) -> Iterator[sqlite3.Connection]:
    """The database of this file with these tables, each by its columns; what is done with it is one transaction.

    A file that is no database any more is of no use to anybody, and begins anew.

    Raises:
        sqlite3.Error: it cannot be read or written.
        OSError: neither can its folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = _opened(path, tables)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        database = _opened(path, tables)
    with contextlib.closing(database), database:
        yield database


def _opened(path: Path, tables: Mapping[str, str]) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=PATIENCE_S)
    try:
        for name, columns in tables.items():
            database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
    except sqlite3.Error:
        database.close()
        raise
    return database
