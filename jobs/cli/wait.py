"""`facegan-job wait RUN…`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.errors import Exit
from jobs.follow import wait as wait_for
from jobs.run import exit_of_run


def wait(
    run: options.Runs,
    timeout_s: Annotated[float | None, typer.Option("--timeout", min=0, help="Seconds to wait at most.")] = None,
    store: options.Store = None,
) -> int:
    """Wait until no session of the runs is open; return the first result that is not "finished"."""
    context = contexts.real(settings.load({"store": store}))
    ledgers = [runs.find(context, name) for name in run]
    deadline = None if timeout_s is None else context.clock() + timeout_s
    codes = []
    for ledger in ledgers:
        fold = wait_for(context, ledger, deadline)
        if fold is None:
            output.error(
                f"run {ledger.run} is {ledger.fold.state} after {timeout_s:g} s", f"facegan-job status {ledger.run}"
            )
            return Exit.WAIT_TIMEOUT
        output.data(f"{ledger.run} {fold.state}")
        codes.append(exit_of_run(fold.state))
    return next((code for code in codes if code), Exit.OK)
