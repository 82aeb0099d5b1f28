"""Which notices went out from this machine, and how its watches left each run: kept under FACEGAN_HOME.

The crash argument: a notice is claimed before it goes out, and settled after. Killed in between, it may or may not have
gone; it is claimed again after a minute, so it may come twice and is never lost. Of two watches on this machine one
claims it. What fails is tried three times, some minutes apart, and then left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from jobs.tables import opened

TRIES = 3
PATIENCE_S = 60.0  # for one that is going out; twice as long after each that failed

_TABLES = {
    "told": "store TEXT, run TEXT, key TEXT, state TEXT, tries INTEGER, at REAL, PRIMARY KEY (store, run, key)",
    "decided": "store TEXT, run TEXT, seq INTEGER, why TEXT, until REAL, PRIMARY KEY (store, run)",
}


class Claim(Enum):
    """Whether to send a notice: now, perhaps later, or never, because it went out or was tried often enough."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rested:
    """How a watch left a run, when `seq` was its newest entry: until when, in Unix seconds, where it waits."""

    seq: int
    why: str
    until: float | None = None


class Kept:
    """One store's. Safe under many processes; what cannot be read or written raises `sqlite3.Error` or `OSError`."""

    def __init__(self, home: Path, store_url: str) -> None:
        self._path = home / "notices.db"
        self._store = store_url

    def claim(self, run: str, key: str, now: float) -> Claim:
        """Whether the caller is to send this notice now; then it settles it."""
        with opened(self._path, _TABLES) as database:
            database.execute("BEGIN IMMEDIATE")
            where = (self._store, run, key)
            row = database.execute(
                "SELECT state, tries, at FROM told WHERE store = ? AND run = ? AND key = ?", where
            ).fetchone()
            if row is not None and (not_now := _not_now(row[0], row[1], row[2], now)) is not None:
                return not_now
            tries = 1 if row is None else row[1] + 1
            database.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, 'sending', ?, ?)", (*where, tries, now))
            return Claim.NOW

    def settle(self, run: str, key: str, now: float, *, sent: bool) -> None:
        with opened(self._path, _TABLES) as database:
            database.execute(
                "UPDATE told SET state = ?, at = ? WHERE store = ? AND run = ? AND key = ?",
                ("sent" if sent else "failed", now, self._store, run, key),
            )

    def rest(self, run: str, rested: Rested) -> None:
        with opened(self._path, _TABLES) as database:
            row = (self._store, run, rested.seq, rested.why, rested.until)
            database.execute("INSERT OR REPLACE INTO decided VALUES (?, ?, ?, ?, ?)", row)

    def rests(self) -> dict[str, Rested]:
        """How each run was left by the watch that looked at it last."""
        if not self._path.exists():
            return {}
        with opened(self._path, _TABLES) as database:
            question = "SELECT run, seq, why, until FROM decided WHERE store = ?"
            rows = database.execute(question, (self._store,)).fetchall()
        return {run: Rested(seq=seq, why=why, until=until) for run, seq, why, until in rows}

    def forget(self, run: str) -> None:
        """A run that was removed may be made anew under its name, and is then worth every notice again."""
        if self._path.exists():
            with opened(self._path, _TABLES) as database:
                for table in _TABLES:
                    database.execute(f"DELETE FROM {table} WHERE store = ? AND run = ?", (self._store, run))  # noqa: S608


def _not_now(state: str, tries: int, at: float, now: float) -> Claim | None:
    if state == "sent" or tries >= TRIES:
        return Claim.NEVER
    pause_s = PATIENCE_S * (2.0 ** (tries - 1) if state == "failed" else 1.0)
    return None if now - at >= pause_s else Claim.LATER
