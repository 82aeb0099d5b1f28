"""`facegan-job data`: the data sets on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegan.catalog.datasets import DATASETS, find
from jobs import context as contexts
from jobs import heavy, recipe, settings
from jobs.cli import options, output

app = typer.Typer(help="Prepare and list data sets.", rich_markup_mode=None, no_args_is_help=True)


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="Name of a data set.")],
    source: Annotated[Path | None, typer.Option("--from", help="A file that was fetched by other means.")] = None,
) -> int:
    """Fetch a data set, check it, and keep it on this machine."""
    find(name)
    arguments = ["data", "prepare", name, *(["--from", str(source.absolute())] if source else [])]
    return heavy.run(contexts.real(settings.load()), *arguments)


@app.command(name="list")
def list_data(json: options.Json = False) -> None:
    """List the data sets, and which are here."""
    home = settings.load().home
    rows = [
        (
            d.name,
            f"{d.count:,}",
            f"{d.height}x{d.width}x{d.channels}",
            "here" if recipe.data_is_here(d.name, home)[0] else "not here",
            d.summary,
        )
        for d in DATASETS.values()
    ]
    if json:
        output.as_json([{"name": r[0], "here": r[3] == "here", "summary": r[4]} for r in rows])
        return
    output.table(("NAME", "IMAGES", "SHAPE", "STATE", "WHAT"), rows)
