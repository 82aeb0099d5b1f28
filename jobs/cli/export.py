"""`facegan-job export PLACE RUN`: a run's notebook, for a place that a person starts by hand."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from facegan import layout
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.ledger import State
from facegan.prepared.selection import is_unprepared
from facegan.prepared.spelled import prepare_line
from facegan.setting import unknown
from jobs import context as contexts
from jobs import loopback, runs, settings
from jobs.bundle import SESSION, wheel
from jobs.cli import options, output
from jobs.context import Context
from jobs.errors import JobError
from jobs.notebook.places import PLACES, Card, Place
from jobs.notebook.rendering import NEEDED, Page, render

File = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write it here (default: RUN-PLACE.ipynb); - prints it."),
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that holds something else.")]
ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ()}


def export(
    place: Annotated[str, typer.Argument(metavar="PLACE", help=f"Where it is to be opened: {' or '.join(PLACES)}.")],
    run: options.Run,
    gpu: options.Gpu = None,
    file: File = None,
    store: options.Store = None,
    force: Force = False,
) -> int:
    """Write a notebook that goes on with a run when a person opens and runs it."""
    if place not in PLACES:
        raise unknown("place", place, PLACES)
    return _export(PLACES[place], contexts.real(settings.load({"store": store})), run, gpu, file, force=force)


def _export(place: Place, context: Context, named: str, gpu: str | None, file: Path | None, *, force: bool) -> int:
    card = place.card(gpu)
    _require_reachable(place, context.store.url)
    ledger = runs.find(context, named)
    if ledger.fold.state in {State.FINISHED, State.CANCELLED}:
        raise JobError(
            f'run "{ledger.run}" is {ledger.fold.state}: there is nothing to go on with',
            hint=f"facegan-job status {ledger.run}",
        )
    chosen = ledger.created()
    _require_fitting(place, card, context, chosen)
    url = layout.run_url(context.store.url, ledger.run)
    replicas = chosen.training.replicas
    data = render(Page(place=place, card=card, run_url=url, wheel=wheel(SESSION), replicas=replicas))
    if file == Path("-"):
        sys.stdout.write(data.decode())
        return 0
    target = file or Path(f"{ledger.run}-{place.name}.ipynb")
    _write(target, data, force=force)
    output.data(str(target.absolute()))
    output.say(f"it holds no credentials. {place.opening}")
    if ledger.fold.state is State.STOPPED:
        output.say(f"the run is stopped, so it will not begin before: facegan-job resume {ledger.run}")
    return 0


def _require_reachable(place: Place, url: str) -> None:
    """Refuse stores that a notebook elsewhere cannot reach, or not by what is in their URL alone."""
    scheme = url.partition("://")[0]
    if scheme not in NEEDED:
        raise BadInputError(
            f'a notebook on {place.title} cannot reach the store "{url}"',
            hint="make the run in a bucket: facegan-job submit EXPERIMENT --store s3://BUCKET/PREFIX (docs/storage.md)",
        )
    loopback.require_elsewhere(f"a notebook on {place.title}", url, os.environ)
    named = [name for name in ENDPOINTS[scheme] if os.environ.get(name)]
    if named and "endpoint=" not in url:
        raise BadInputError(
            f"where the store is, is said by {named[0]}, and a notebook elsewhere does not see that",
            hint=f'--store "{url}{"&" if "?" in url else "?"}endpoint=URL"',
        )


def _require_fitting(place: Place, card: Card, context: Context, chosen: Experiment) -> None:
    """Refuse a run whose data a notebook could not read, or that trains on more GPUs than it would have."""
    if is_unprepared(chosen.data, context.store):
        raise BadInputError(
            f'data set "{chosen.data.name}" is not in {context.store.url}, where a notebook would look for it',
            hint=prepare_line(chosen.data),
        )
    if chosen.training.replicas > card.count:
        raise BadInputError(
            f'training.replicas is "{chosen.training.replicas}", and {place.title} gives {card.count} x {card.gpu}',
            hint="facegan-job backends lists what others have",
        )


def _write(target: Path, data: bytes, *, force: bool) -> None:
    """Write it whole or not at all, and nothing over what may be somebody's."""
    if target.exists() and not force and target.read_bytes() != data:
        raise BadInputError(
            f'"{target}" is there already, and holds something else', hint="--force, or -o another FILE"
        )
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.replace(target)
