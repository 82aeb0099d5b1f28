"""`facegan-job experiments [NAME]`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Annotated, Any

import typer

from facegan import catalog, experiment, meaning
from facegan.catalog import datasets, layers
from facegan.catalog.entry import Entry
from facegan.experiment import Experiment
from facegan.length import Length, duration, expected, length
from facegan.prepared.spelled import prepare_line
from jobs import rates
from jobs.cli import options, output

WIDTH = 100  # of what is read as prose
HEADER = ("NAME", "DATA", "SIZE", "G", "D", "IMAGES", "WHAT")


def experiments(
    name: Annotated[str | None, typer.Argument(help="Show this one whole.")] = None, json: options.Json = False
) -> None:
    """List what can be trained: the thesis' whole proof of concept, and what it rests on."""
    entries = [catalog.find(name)] if name else list(catalog.CATALOG.values())
    if json:
        shown = [_as_json(entry) for entry in entries]
        output.as_json(shown[0] if name else shown)
    elif name:
        _print_whole(entries[0])
    else:
        output.table(HEADER, map(_row, entries))
        output.say("G and D: parameters of the generators and discriminators; IMAGES: real images shown")


def _row(entry: Entry) -> Sequence[str]:
    chosen = entry.experiment
    generators, discriminators = entry.networks.values()
    size = "x".join(map(str, datasets.shape(chosen.data)))
    images = _thousands(_length(chosen).images)
    return (
        chosen.name,
        chosen.data.name,
        size,
        _thousands(generators),
        _thousands(discriminators),
        images,
        entry.summary,
    )


def _thousands(count: int) -> str:
    """As in `860k` and `2.83M`."""
    return f"{count / 1e6:.2f}M" if count >= 1_000_000 else f"{count / 1e3:.0f}k"  # noqa: PLR2004


def _length(chosen: Experiment) -> Length:
    return length(chosen, count=expected(chosen.data))


def _as_json(entry: Entry) -> dict[str, Any]:
    """All that the catalogue has of it, and what follows from that."""
    whole = _length(entry.experiment)
    found = {name: value for name, value in asdict(entry).items() if name not in {"experiment", "networks", "takes"}}
    return {
        "name": entry.experiment.name,
        **found,
        "parameters": dict(entry.networks),
        "length": {
            "images": whole.images,
            "epochs": whole.epochs,
            "steps": whole.steps,
            "batch_size": whole.batch_size,
        },
        "data": _where_from(entry.experiment),
        "takes": _takes(entry),
        "experiment": experiment.to_json(entry.experiment),
    }


def _print_whole(entry: Entry) -> None:
    chosen = entry.experiment
    output.data(f"{chosen.name}: {entry.summary}")
    said: Mapping[str, str | Sequence[str]] = {
        "reproduces": entry.reproduces,
        "source": entry.source,
        "networks": [f"{network}: {count:,} parameters" for network, count in entry.networks.items()],
        "length": str(_length(chosen)),
        "data": _where_from(chosen),
        "takes": _takes(entry) or "not measured yet",
        "came out": entry.outcome or "not trained far enough yet to say",
        "what the sources got wrong, and how it was settled": entry.settled,
        "how it differs from its source": entry.notes,
        "believed, not verified": entry.believed,
    }
    for heading, text in said.items():
        _print_about(heading, [text] if isinstance(text, str) else text)
    _print_layers(chosen.name)
    _print_keys(chosen)


def _where_from(chosen: Experiment) -> str:
    known = datasets.find(chosen.data.name)
    return prepare_line(chosen.data) if known.package is None else f"{known.name} comes in a package: {known.where}"


def _takes(entry: Entry) -> list[str]:
    """How long it took, and is expected to take."""
    return [*entry.takes, *_on_gpus(entry.experiment)]


def _on_gpus(chosen: Experiment) -> Iterator[str]:
    """How long the whole of it takes on the GPUs that the project's table of rates knows, and how sure that is."""
    for row in rates.table():
        if row.experiment == chosen.name and (found := rates.rate(chosen, row.gpu)) is not None:
            took, known = found
            yield f"the whole of it on a {row.gpu} in about {duration(chosen.training.steps / took.likely)}: {known}"


def _print_about(heading: str, texts: Sequence[str]) -> None:
    """A heading and what stands under it; nothing where there is nothing to say."""
    if not texts:
        return
    output.data(f"\n{heading}")
    for text in texts:
        output.data(_filled(text, "  - ", "    "))


def _print_layers(name: str) -> None:
    for role, found in layers.of(name).items():
        output.data(f"\nlayers of the {role}")
        for layer in found:
            shape = "x".join(map(str, layer.shape))
            of_domain = f"  {' and '.join(layer.domains)}" if layer.domains else ""
            output.data(f"  {layer.kind:<20}{shape:<13}{layer.parameters:>11,}{of_domain}")


def _print_keys(chosen: Experiment) -> None:
    output.data("\nkeys for --set and for a file of your own")
    for key in experiment.known_keys():
        output.data(f"  {key} = {meaning.spelled(attrgetter(key)(chosen))}")
        output.data(_filled(meaning.MEANINGS[key], " " * 6, " " * 6))


def _filled(text: str, first: str, others: str) -> str:
    """Lines of prose, in which no name is broken at its hyphen."""
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
