"""`facegan-job resume RUN`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import context as contexts
from jobs import launch, runs, settings
from jobs.cli import attach, options, output
from jobs.ended import EndedRuns


def resume(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: options.Run,
    gpu: options.Gpu = None,
    backend: options.Backend = None,
    host: options.Host = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Make the run so many steps long.")] = None,
    store: options.Store = None,
    detach: options.Detach = False,
    json: options.Json = False,
) -> int:
    """Give an interrupted, stopped or failed run another session, and follow it."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    where = launch.place(context, backend, gpu, host)
    EndedRuns(context.settings.home, context.store.url).forget(ledger.run)
    launch.resume(context, ledger, where, steps, output.say)
    output.say(f"run {ledger.run}")
    return attach.attach(context, ledger, detach=detach, json=json)
