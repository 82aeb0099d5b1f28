"""`facegan-job wait RUN…`."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from facegan.errors import BadInputError
from jobs import context as contexts
from jobs import runs, settings, sweeping
from jobs.cli import options, output
from jobs.errors import Exit
from jobs.follow import wait as wait_for
from jobs.run import exit_of_run


def wait(
    run: options.Runs,
    timeout_s: Annotated[float | None, typer.Option("--timeout", min=0, help="Seconds to wait at most.")] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Wait until no session of the runs is open; return the first result that is not "finished"."""
    if timeout_s is not None and math.isnan(timeout_s):
        raise BadInputError('--timeout takes a number of seconds, not "nan"')
    context = contexts.real(settings.load({"store": store}))
    ledgers = [runs.find(context, name) for name in run]
    deadline = None if timeout_s is None else context.clock() + timeout_s
    ended = []
    for ledger in ledgers:
        fold = wait_for(context, ledger, deadline, output.say)
        if fold is None:
            output.error(
                f"run {ledger.run} is {ledger.fold.state} after {timeout_s:g} s", f"facegan-job status {ledger.run}"
            )
            return Exit.WAIT_TIMEOUT
        sweeping.sweep(context, ledger)
        if not json:
            output.data(f"{ledger.run} {fold.state}")
        ended.append({"run": ledger.run, "state": str(fold.state), "step": fold.reached})
    if json:
        output.as_json(ended)
    return next((code for each in ended if (code := exit_of_run(str(each["state"])))), Exit.OK)
