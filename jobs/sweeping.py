"""What ended sessions leave behind, removed: at every place where one has ended, and here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from facegan import layout
from facegan.errors import FaceganError
from facegan.ledger import Entry, Fold, Ledger
from jobs import credentials
from jobs.backends import BACKENDS, open_backend
from jobs.context import Context


def sweep(context: Context, ledger: Ledger) -> None:
    """Remove what ended sessions left behind: credentials that were made for them, and what their places still keep.

    Every place where a session of the run has ended is asked, once. What cannot be removed now is left to the next
    command that follows the run.
    """
    fold = ledger.refresh()
    credentials.revoke_ended(context, ledger)
    with contextlib.suppress(FaceganError):  # of a ledger that cannot be read nothing is concluded
        for backend, host in _left(ledger, fold):
            sweep_at(context, ledger, backend, host)


def sweep_at(context: Context, ledger: Ledger, backend: str, host: str | None) -> None:
    """Have one place remove what ended sessions of the run left there, if it answers."""
    if backend not in BACKENDS:
        return
    fold, url = ledger.fold, layout.run_url(context.store.url, ledger.run)
    keep = [session.number for session in fold.open]
    with contextlib.suppress(FaceganError):
        place = open_backend(backend, context.settings, host=host)
        place.give_back(url, lambda number: number <= fold.newest and number not in keep)
        place.sweep(url, keep)


def _left(ledger: Ledger, fold: Fold) -> list[tuple[str, str | None]]:
    """The places where sessions of the run have ended. Where there was more than one, their intents are read."""
    if fold.end is None:
        return []
    last = (fold.end.backend, fold.end.host)
    if fold.newest == 1:
        return [last]
    asked = {entry.body["session"]: entry.body for entry in _intents(ledger)}
    places = {last: None} | {
        (body["backend"], body.get("host")): None for number, body in asked.items() if fold.session(number) is None
    }
    return list(places)


def _intents(ledger: Ledger) -> Iterator[Entry]:
    """Every session's `intent`, by bisection: nearly all of a long ledger are checkpoints."""
    known: dict[int, Entry] = {}

    def newest(seq: int) -> int:
        if seq not in known:
            known[seq] = ledger.entry(seq)
        return int(known[seq].fold["newest"])

    def within(low: int, high: int) -> Iterator[Entry]:
        if newest(low) == newest(high):
            return
        if high - low == 1:
            yield known[high]
            return
        middle = (low + high) // 2
        yield from within(low, middle)
        yield from within(middle, high)

    return within(0, ledger.seq)
