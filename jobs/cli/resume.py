"""`facegan-job resume RUN`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from facegan import experiment
from jobs import context as contexts
from jobs import launch, runs, settings, word
from jobs.budget import Budget
from jobs.cli import options, output
from jobs.cli.watch import Manner, launched
from jobs.ended import EndedRuns
from jobs.supervision import costing, places, resolving
from jobs.supervision.past import Past, Relay
from jobs.supervision.policy import parse


def resume(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: options.Run,
    gpu: options.Gpu = None,
    backend: options.Backend = None,
    host: options.Host = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, max=experiment.LONGEST - 1, help="Make the run so many steps long."),
    ] = None,
    give_up: options.GiveUp = None,
    budget: options.Budget = None,
    max_hours: options.MaxHours = None,
    price: options.Price = None,
    store: options.Store = None,
    watch: options.Watch = False,
    detach: options.Detach = False,
    json: options.Json = False,
) -> int:
    """Give an interrupted, stopped or failed run another session, and follow it."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    past = Past(ledger)
    before = past.relay()
    said = before if backend is None else None
    relay = said or Relay(backends=parse(backend or context.settings.backend), gpu=gpu)
    may_cost = Budget(usd=budget, hours=max_hours, usd_h=price).or_else(before.budget if before else Budget())
    relay = replace(relay, gpu=gpu or (relay.gpu if said else past.gpu_on(relay.backends)), budget=may_cost)
    relay = resolving.of_old(context, ledger, relay, output.say)
    where = places.first(context, relay, host, output.say)
    if backend is not None or said is not None or watch or relay.auto or may_cost != Budget():
        where = replace(where, relay=relay.to_json())
    if give_up is not None:
        word.give_up(context, ledger, give_up, output.say)
    EndedRuns(context.settings.home, context.store.url).forget(ledger.run)
    output.say(f"run {ledger.run}")
    left = max(0, (steps or ledger.fold.steps) - ledger.fold.reached)
    foreseen = costing.foresee(context, where, ledger.created(), left)
    for line in foreseen.words():
        output.say(line)
    how = Manner(watch=watch, detach=detach, json=json, estimate=foreseen.to_json())
    return launched(context, ledger, lambda: launch.resume(context, ledger, where, steps, output.say), relay, how)
