"""`facegan-job logs RUN`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from facegan import layout
from facegan.errors import BadInputError
from facegan.ledger import Ledger
from facegan.storage.base import ObjectStore
from jobs import context as contexts
from jobs import launch, runs, settings
from jobs.cli import options, output
from jobs.run import exit_of_run

LOOK_EVERY_S = 1.0


def logs(
    run: options.Run,
    follow: options.Follow = False,
    session: Annotated[int | None, typer.Option("--session", help="Of this session only.")] = None,
    store: options.Store = None,
) -> int:
    """Print what the sessions of a run printed, in order."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    newest = ledger.refresh().newest
    if session is not None and not 1 <= session <= newest:
        raise BadInputError(f'run "{ledger.run}" has no session "{session}"', hint=f"it has {newest}, from 1 on")
    shown: dict[int, str] = {}
    try:
        while True:
            open_before = bool(launch.bury(context, ledger).open) if follow else False
            for number in [session] if session else range(1, ledger.refresh().newest + 1):
                shown[number] = _print_new(context.store, ledger, number, shown.get(number, ""))
            if not open_before:
                break
            context.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        output.say("\nthe run goes on")
        return 130
    return exit_of_run(ledger.fold.state) if follow else 0


def _print_new(store: ObjectStore, ledger: Ledger, session: int, after: str) -> str:
    """Print the session's pieces that sort after the last one shown; the last one's key."""
    for key in store.list(layout.output(ledger.run, session), after=after):
        sys.stdout.write(store.get(key).decode(errors="replace"))
        after = key
    sys.stdout.flush()
    return after
