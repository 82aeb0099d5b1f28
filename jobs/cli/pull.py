"""`facegan-job pull RUN [DIR]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegan import layout
from facegan.checkpoints import encode_metrics
from facegan.history import History
from facegan.ledger import Ledger
from jobs import context as contexts
from jobs import heavy, runs, settings
from jobs.cli import options, output
from jobs.errors import Exit


def pull(
    run: options.Run,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Into this folder (default: one named as the run).")
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Fetch what a run has made: its newest generator, its pictures, its metrics."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    into = (folder or Path(ledger.run)).absolute()
    history = fetch(ledger, into)
    generator: str | None = None
    if ledger.fold.good and heavy.has("tensorflow"):
        url = layout.run_url(context.store.url, ledger.run)
        if heavy.run(context, "export", url, str(into), quiet=True) == 0:
            generator = str(into / "generator.keras")
    if json:
        output.as_json(
            {
                "run": ledger.run,
                "folder": str(into),
                "generator": generator,
                "damaged": [str(d) for d in history.damaged],
            }
        )
    else:
        output.data(str(into))
    for damage in history.damaged:
        output.error(f"{damage}", f"facegan-job verify {ledger.run}")
    return Exit.INTEGRITY if history.damaged else Exit.OK


def fetch(ledger: Ledger, into: Path) -> History:
    """Write the committed pictures and metrics below a folder; what could not be read is named."""
    (into / "samples").mkdir(parents=True, exist_ok=True)
    history = History(ledger=ledger)
    points = []
    for entry in history.checkpoints():
        points += history.points(entry)
        for sample in history.samples(entry):
            (into / layout.sample(sample.step, sample.name)).write_bytes(sample.png)
    (into / layout.METRICS).write_bytes(encode_metrics(sorted(points, key=lambda point: point.step)))
    return history
