"""`facegan-job logs RUN`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from facegan.errors import BadInputError
from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.follow import Undertaker
from jobs.printed import Printed
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
    printed = Printed(context, ledger, output.say)
    undertaker = Undertaker(context, ledger, output.say)
    try:
        while True:
            fold = undertaker.look() if follow else ledger.refresh()
            for number in [session] if session else range(1, fold.newest + 1):
                for line in printed.new(number, is_open=follow and fold.session(number) is not None):
                    sys.stdout.write(line)
                    sys.stdout.flush()
            if not follow or not fold.open:
                break
            context.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        output.say("\nthe run goes on")
        return 130
    return exit_of_run(ledger.fold.state) if follow else 0
