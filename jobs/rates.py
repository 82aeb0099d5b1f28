"""How fast experiments train, as far as the project knows: the dated table of `infra/rates.toml`.

What the user's own sessions took is known better (`jobs.supervision.experience`): this is asked where there were none.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import infra
from facegan.experiment import Experiment
from jobs.backends.known import Sure
from jobs.planning.prospects import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A row: `steps_per_s` of this experiment at this batch size, on this GPU.

    One time in ten it is below `low`, and one time in ten above `high`.
    """

    experiment: str
    gpu: str
    batch_size: int
    steps_per_s: float
    low: float
    high: float
    sure: Sure
    seen: str
    source: str


@functools.cache
def table() -> Sequence[Rate]:
    """All rows of the table."""
    path = Path(str(infra.__file__)).parent / "rates.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["rate"]
    return tuple(Rate(**{**row, "sure": Sure[row["sure"].upper()]}) for row in rows)


def rate(chosen: Experiment, gpu: str | None) -> tuple[Estimate, str] | None:
    """Steps a second of it on that GPU, and how that is known; `None` where nothing is known.

    No processor says anything of another place's, and another batch size makes other steps.
    """
    if gpu is None:
        return None
    for row in table():
        if (row.experiment, row.gpu.lower(), row.batch_size) == (chosen.name, gpu.lower(), chosen.training.batch_size):
            known = f"{row.sure.value} ({row.seen}): {row.source}"
            return Estimate(likely=row.steps_per_s, low=row.low, high=row.high), known
    return None
