"""How a session stands, from the runs of its workflow. There is one; of more, the ledger lets one train."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.gradient import facts


def phase(run: Json) -> str:
    return str((run.get("status") or {}).get(facts.PHASES.value) or "").lower()


def began(run: Json) -> float | None:
    """When it was made, in Unix seconds; `None` where Gradient does not say."""
    try:
        return datetime.fromisoformat(str(run.get(facts.BEGAN.value))).timestamp()
    except ValueError:
        return None


def life(runs: Sequence[Json]) -> Life | None:
    """`None` where there is no run. Of a phase that nobody knows, nothing is concluded."""
    found = {facts.LIVES.get(phase(run), Life.UNKNOWN) for run in runs}
    for each in (Life.ALIVE, Life.UNKNOWN, Life.GONE):
        if each in found:
            return each
    return None


def why(runs: Sequence[Json]) -> str:
    """Of runs that have all ended."""
    said = facts.ENDS[phase(runs[0])]
    message = str((runs[0].get("status") or {}).get("message") or "")
    return f"{said}: {message}" if message else said
