"""`facegan-job submit EXPERIMENT`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated

import typer

from facegan.experiment import Data
from facegan.length import length
from facegan.prepared import Manifest
from jobs import context as contexts
from jobs import counting, ingredients, launch, orders, recipe, runs, settings
from jobs.budget import Budget
from jobs.cli import options, output
from jobs.cli.foreseen import what_would_be_sent
from jobs.cli.watch import Manner, launched
from jobs.shelf import shelf
from jobs.supervision import costing, places, resolving
from jobs.supervision.past import Relay
from jobs.supervision.policy import parse


def submit(  # noqa: PLR0913, PLR0917 - one parameter an option
    experiment: Annotated[str, typer.Argument(help="Name of an experiment, or a TOML file of your own.")],
    gpu: options.Gpu = None,
    backend: options.Backend = None,
    host: options.Host = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the experiment; repeatable."),
    ] = None,
    store: options.Store = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="ID", help="The run's id; the same again goes on.")
    ] = None,
    budget: options.Budget = None,
    max_hours: options.MaxHours = None,
    price: options.Price = None,
    watch: options.Watch = False,
    detach: options.Detach = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent; send nothing.")] = False,
    json: options.Json = False,
) -> int:
    """Start a run of an experiment, and follow it."""
    context = contexts.real(settings.load({"store": store}))
    may_cost = Budget(usd=budget, hours=max_hours, usd_h=price)
    relay = Relay(backends=parse(backend or context.settings.backend), gpu=gpu, budget=may_cost)
    relay = resolving.of_new(context, experiment, overrides or (), relay, output.say)
    where = places.first(context, relay, host, output.say, fetch=not dry_run)
    if backend is not None or watch or relay.auto or may_cost != Budget():
        where = replace(where, relay=relay.to_json())
    runs.make_home(context)
    home, at = context.settings.home, context.store
    on, able, look = where.backend.machine(where.gpu), where.backend.capabilities(), shelf(home, at, output.say)
    there = able.data_there
    chosen = recipe.resolve(experiment, overrides or (), device=on.device, cores=on.cores, look=look, there=there)
    ingredients.require_data(chosen.data, home if able.data_is_here else None, at, there)
    run = contexts.new_run_id(chosen.name) if name is None else name
    array = counting.array(chosen.data, home, at)
    images = counting.images(chosen.data, array, home, at)
    counting.require_images(chosen, images, home, at)
    body = recipe.created_body(run, chosen, images)
    output.say(f"run {run}: {length(chosen, count=images)}")
    for line in _of_data(chosen.data, array, images, there):
        output.say(line)
    orders.suited(context, where, orders.order(context, run, orders.first(where)), chosen)
    foreseen = costing.foresee(context, where, chosen, chosen.training.steps)
    for line in foreseen.words():
        output.say(line)
    if dry_run:
        if name is not None:
            launch.require_free(context, run, body)
        output.as_json({**what_would_be_sent(context, where, chosen, body), "estimate": foreseen.to_json()})
        return 0
    ledger = launch.create(context, run, chosen, images)
    how = Manner(watch=watch, detach=detach, json=json, estimate=foreseen.to_json())
    return launched(context, ledger, lambda: launch.submit(context, ledger, where, output.say), relay, how)


def _of_data(data: Data, array: Manifest | None, images: int | None, there: Mapping[str, str]) -> Iterator[str]:
    """What somebody may not expect of the images that are shown."""
    if array is not None and array.part:
        yield f"of {data.name} a part was prepared: {array.part}"
    if data.digest is None and data.name in there:
        yield f"{data.name} will be prepared by the first session, from {there[data.name]}"
    if images is not None and array is not None and data.only is not None:
        yield f"data.only is {data.only}: of {array.count:,} images {images:,} are shown"
    if images is not None and data.limit is not None and images < data.limit:
        yield f"data.limit is {data.limit:,}, and there are {images:,} images: all of them are shown"
