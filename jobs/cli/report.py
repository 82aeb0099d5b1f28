"""`facegan-job report RUN… -o FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegan import layout
from jobs import context as contexts
from jobs import heavy, runs, settings
from jobs.cli import options


def report(
    run: options.Runs,
    file: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Write the page here.")] = Path(
        "report.html"
    ),
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Compare runs on one page: networks, data, time, machines, pictures, curves."""
    context = contexts.real(settings.load({"store": store}))
    found = dict.fromkeys(runs.find(context, name, checked=False).run for name in run)  # a damaged one is named there
    urls = [layout.run_url(context.store.url, each) for each in found]
    return heavy.run(context, "report", *urls, "-o", str(file.absolute()), *(["--json"] if json else []))
