"""`facegan-job rm RUN`."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Annotated

import typer

from facegan.errors import DamagedError
from facegan.ledger import Ledger
from jobs import context as contexts
from jobs import runs, settings, word
from jobs.cli import options, output
from jobs.ended import EndedRuns
from jobs.heads import Heads
from jobs.notices.kept import Kept


def rm(
    run: options.Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: options.Store = None,
) -> None:
    """Delete a run and everything it committed from the store. Its MLflow run stays."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run, checked=False)
    if not yes:
        typer.confirm(f"delete run {ledger.run} ({_how_far(ledger)}) for ever?", abort=True, err=True)
    count = word.remove(context, ledger)
    EndedRuns(context.settings.home, context.store.url).forget(ledger.run)
    Heads(context.settings.home, context.store.url).forget(ledger.run)
    with contextlib.suppress(sqlite3.Error, OSError):  # a notice that is not sent again is no reason to fail
        Kept(context.settings.home, context.store.url).forget(ledger.run)
    output.say(f"run {ledger.run} is deleted: {count:,} objects")


def _how_far(ledger: Ledger) -> str:
    try:
        return f"{ledger.fold.state}, step {ledger.fold.reached:,}"
    except DamagedError:
        return "damaged"
