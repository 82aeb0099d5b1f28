"""`facegan-job submit EXPERIMENT`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from jobs import context as contexts
from jobs import launch, recipe, settings
from jobs.cli import attach, options, output
from jobs.context import Context
from jobs.launch import Place


def submit(  # noqa: PLR0913, PLR0917 - one parameter an option
    experiment: Annotated[str, typer.Argument(help="Name of an experiment, or a TOML file of your own.")],
    gpu: options.Gpu = None,
    backend: options.Backend = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the experiment; repeatable."),
    ] = None,
    store: options.Store = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="ID", help="The run's id; the same again goes on.")
    ] = None,
    detach: options.Detach = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent; send nothing.")] = False,
    json: options.Json = False,
) -> int:
    """Start a run of an experiment, and follow it."""
    context = contexts.real(settings.load({"store": store}))
    where = launch.place(context, backend, gpu)
    chosen = recipe.resolve(
        experiment, overrides or (), device=where.backend.device(where.gpu), cores=os.cpu_count() or 1
    )
    if where.backend.capabilities().data_is_here:
        recipe.require_data(chosen, context.settings.home)
    run = contexts.new_run_id(chosen.name) if name is None else name
    body = recipe.created_body(run, chosen)
    if dry_run:
        output.as_json(_what_would_be_sent(context, where, run, body))
        return 0
    output.say(f"run {run}")
    ledger = launch.create(context, run, chosen)
    launch.submit(context, ledger, where, output.say)
    return attach.attach(context, ledger, detach=detach, json=json)


def _what_would_be_sent(context: Context, where: Place, run: str, body: dict[str, object]) -> dict[str, object]:
    order = launch.order(context, run, 1, where.gpu)
    return {
        "store": context.store.url,
        "created": body,
        "intent": {"session": 1, "backend": where.backend.name, "gpu": where.gpu},
        "session": where.backend.command(order),
    }
