"""What ended sessions leave behind, removed: at every place where one has ended, and here."""

from __future__ import annotations

import contextlib

from facegan import layout
from facegan.errors import FaceganError
from facegan.ledger import Fold, Ledger
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
    keep = [session.number for session in ledger.fold.open]
    with contextlib.suppress(FaceganError):
        open_backend(backend, context.settings, host=host).sweep(layout.run_url(context.store.url, ledger.run), keep)


def _left(ledger: Ledger, fold: Fold) -> list[tuple[str, str | None]]:
    """The places where sessions of the run have ended. Where there was more than one session, every entry is read."""
    if fold.end is None:
        return []
    last = (fold.end.backend, fold.end.host)
    if fold.newest == 1:
        return [last]
    asked = {entry.body["session"]: entry.body for entry in ledger.entries() if entry.kind == "intent"}
    places = {last: None} | {
        (body["backend"], body.get("host")): None for number, body in asked.items() if fold.session(number) is None
    }
    return list(places)
