"""`facegan-job resume RUN`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from jobs import context as contexts
from jobs import launch, runs, settings
from jobs.cli import options, output
from jobs.cli.watch import Manner, launched
from jobs.ended import EndedRuns
from jobs.supervision import places
from jobs.supervision.past import Past, Relay
from jobs.supervision.policy import parse


def resume(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: options.Run,
    gpu: options.Gpu = None,
    backend: options.Backend = None,
    host: options.Host = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Make the run so many steps long.")] = None,
    store: options.Store = None,
    watch: options.Watch = False,
    detach: options.Detach = False,
    json: options.Json = False,
) -> int:
    """Give an interrupted, stopped or failed run another session, and follow it."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    said = Past(ledger).relay() if backend is None else None
    relay = said or Relay(backends=parse(backend or context.settings.backend), gpu=gpu)
    relay = replace(relay, gpu=gpu or relay.gpu)
    where = places.first(context, relay, host, output.say)
    if backend is not None or said is not None or watch:
        where = replace(where, relay=relay.to_json())
    EndedRuns(context.settings.home, context.store.url).forget(ledger.run)
    output.say(f"run {ledger.run}")
    how = Manner(watch=watch, detach=detach, json=json)
    return launched(context, ledger, lambda: launch.resume(context, ledger, where, steps, output.say), relay, how)
