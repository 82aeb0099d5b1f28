"""`facegan-job gpus`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from facegan.errors import BadInputError
from jobs import prices
from jobs.backends import BACKENDS
from jobs.cli import options, output
from jobs.prices import Offered

HEADER = ("GPU", "BACKEND", "CALLED", "MEMORY", "SESSIONS", "SPOT USD/H", "ON DEMAND USD/H", "REGION", "SEEN", "SURE")
UNKNOWN = "?"


def gpus(gpu: options.Gpu = None, json: options.Json = False) -> None:
    """List which GPU is where, under what name, for how long and for how much, as of when, and how sure that is."""
    rows = list(_rows(gpu))
    if json:
        output.as_json([row.to_json() for row in rows])
        return
    output.table(HEADER, (_row(row) for row in rows))
    for line in dict.fromkeys(
        f"{row.backend} {'free' if row.free else 'paid'}: {row.quota}" for row in rows if row.quota
    ):
        output.say(line)
    output.say("USD an hour of a machine with its GPU, without disk and traffic; --price USD says what it costs you")


def _rows(gpu: str | None) -> Iterable[Offered]:
    """GPUs by name; under each, the backends in their order, those whose machines are another's too.

    Raises:
        BadInputError: nobody has a GPU of that name.
    """
    found = [row for row in prices.table() if row.gpu]
    found += [replace(row, backend=name) for name, of in prices.TABLE_OF.items() for row in found if row.backend == of]
    found = [row for row in found if row.backend in BACKENDS]
    wanted = [row for row in found if gpu is None or row.gpu.lower() == gpu.lower()]
    if not wanted:
        there = ", ".join(dict.fromkeys(row.gpu for row in found))
        raise BadInputError(f'no backend is known to have the GPU "{gpu}"', hint=f"there are {there}")
    places = list(BACKENDS)
    names = list(dict.fromkeys(row.gpu for row in found))
    return sorted(wanted, key=lambda row: (names.index(row.gpu), places.index(row.backend)))


def _row(row: Offered) -> tuple[str, ...]:
    on_spot = row.backend in prices.ON_SPOT
    cards = f"{row.cards} x " if row.cards > 1 else ""
    return (
        row.gpu,
        row.backend,
        ", ".join(row.called),
        f"{cards}{row.memory_gib} GiB",
        f"up to {row.session_h:g} h" if row.session_h else "any length",
        _amounts(row, row.spot_usd, most=True) if on_spot else "-",
        _amounts(row, row.on_demand_usd, most=False),
        row.region or "-",
        row.seen,
        row.sure.name.lower(),
    )


def _amounts(row: Offered, usd: Sequence[float], *, most: bool) -> str:
    """The prices in the order of the names; on spot, where nobody knows, what they do not exceed."""
    if row.free:
        return "free"
    if usd:
        return ", ".join(f"{each:.3f}" for each in usd)
    return f"at most {max(row.on_demand_usd):.3f}" if most and row.on_demand_usd else UNKNOWN
