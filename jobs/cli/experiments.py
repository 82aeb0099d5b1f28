"""`facegan-job experiments [NAME]`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from facegan import catalog, experiment
from facegan.catalog.entry import Entry
from jobs.cli import options, output


def experiments(
    name: Annotated[str | None, typer.Argument(help="Show this one whole.")] = None, json: options.Json = False
) -> None:
    """List what can be trained."""
    entries = [catalog.find(name)] if name else list(catalog.CATALOG.values())
    if json:
        shown = [_as_json(entry) for entry in entries]
        output.as_json(shown[0] if name else shown)
    elif name:
        _print_whole(entries[0])
    else:
        rows = (
            (e.experiment.name, e.experiment.data.name, f"{e.experiment.training.steps:,}", e.summary) for e in entries
        )
        output.table(("NAME", "DATA", "STEPS", "WHAT"), rows)


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.experiment.name,
        "summary": entry.summary,
        "source": entry.source,
        "parameters": dict(entry.networks),
        "notes": list(entry.notes),
        "experiment": experiment.to_json(entry.experiment),
    }


def _print_whole(entry: Entry) -> None:
    output.data(f"{entry.experiment.name}: {entry.summary}")
    output.data(f"  after {entry.source}")
    for note in entry.notes:
        output.data(f"  {note}")
    for network, count in entry.networks.items():
        output.data(f"  {network}: {count:,} parameters")
    output.data("keys for --set:")
    tree = experiment.to_json(entry.experiment)
    for key in experiment.known_keys():
        group, _, field = key.rpartition(".")
        output.data(f"  {key} = {(tree[group] if group else tree)[field]}")
