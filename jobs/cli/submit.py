"""`facegan-job submit EXPERIMENT`."""

from __future__ import annotations

from typing import Annotated

import typer

from facegan.length import length
from jobs import context as contexts
from jobs import counting, launch, recipe, runs, settings
from jobs.cli import attach, options, output
from jobs.context import Context
from jobs.launch import Place
from jobs.shelf import shelf


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
    detach: options.Detach = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent; send nothing.")] = False,
    json: options.Json = False,
) -> int:
    """Start a run of an experiment, and follow it."""
    context = contexts.real(settings.load({"store": store}))
    where = launch.place(context, backend, gpu, host)
    runs.make_home(context)
    home, at = context.settings.home, context.store
    on, look = where.backend.machine(where.gpu), shelf(home, at, output.say)
    chosen = recipe.resolve(experiment, overrides or (), device=on.device, cores=on.cores, look=look)
    recipe.require_data(chosen.data, home if where.backend.capabilities().data_is_here else None, at)
    run = contexts.new_run_id(chosen.name) if name is None else name
    images = counting.images(chosen.data, home, at)
    counting.require_images(chosen, images, home, at)
    body = recipe.created_body(run, chosen, images)
    output.say(f"run {run}: {length(chosen, count=images)}")
    if images is not None and chosen.data.limit is not None and images < chosen.data.limit:
        output.say(f"data.limit is {chosen.data.limit:,}, and there are {images:,} images: all of them are shown")
    if dry_run:
        output.as_json(_what_would_be_sent(context, where, run, body))
        return 0
    ledger = launch.create(context, run, chosen, images)
    launch.submit(context, ledger, where, output.say)
    return attach.attach(context, ledger, detach=detach, json=json)


def _what_would_be_sent(context: Context, where: Place, run: str, body: dict[str, object]) -> dict[str, object]:
    asked = launch.first(where)
    return {
        "store": context.store.url,
        "created": body,
        "intent": launch.intent(asked, by_user=False),
        "session": where.backend.command(launch.order(context, run, asked)),
    }
