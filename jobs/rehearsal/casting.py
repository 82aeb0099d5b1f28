"""Which run is rehearsed: an experiment's steps, and how long they take on a GPU."""

from __future__ import annotations

import math

from facegan.experiment import Experiment
from jobs import rates
from jobs.rehearsal.terms import HOUR_S
from jobs.rehearsal.world import Role

ASSUMED_S = 60 * HOUR_S  # of a T4, where nobody knows how long a training takes
STEP_S = 60.0  # of a toy: shorter than the time between a notice and the end
OF = "T4"  # the GPU that the speeds of places are said for
MADE_UP = "week"
MADE_UP_STEPS = 200_000


def role(chosen: Experiment | None, seed: int) -> tuple[Role, str]:
    """A run of this experiment, or of none in particular, and how it is known how long it takes on a T4."""
    steps = MADE_UP_STEPS if chosen is None else chosen.training.steps
    name = MADE_UP if chosen is None else chosen.name
    found = None if chosen is None else rates.rate(chosen, OF)
    if found is None:
        lasts_s, known = (
            ASSUMED_S,
            f"how fast it trains is not known: {ASSUMED_S / HOUR_S:.0f} hours of a T4 are assumed",
        )
    else:
        estimate, source = found
        lasts_s, known = steps / estimate.likely, f"{estimate.likely:g} steps a second of a {OF}, {source}"
    stride = max(1, math.floor(steps * STEP_S / lasts_s))
    count = math.ceil(steps / stride)
    return Role(run=name, steps=count, step_s=lasts_s / count, stride=stride, total=steps, seed=seed % 2**31), known
