"""How sure a plan's end is: the plan played many times.

The draws are the same for the same plan, so a plan that is asked for twice says the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from jobs.planning.play import Play

PLAYS, FEWEST, IN_ALL = 300, 100, 3000  # of a short plan, of a long one, and sessions of all plays together


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """When the run is done, in Unix seconds: one time in ten before `early`, one in ten after `late`.

    Half of the times it is by `middle`. What is infinite never comes, so often. `in_time` is how many of all ended by
    the deadline, where there was one.
    """

    early: float
    middle: float
    late: float
    in_time: float | None = None


def spread(play: Play) -> Spread:
    """Play the plan so often, each time with other numbers, and see when the run is done."""
    luck = random.Random(0)  # noqa: S311 - a sample, and no secret
    plays = max(FEWEST, min(PLAYS, IN_ALL // len(play.planned)))
    ends, deadline = sorted(play.ends(luck) for _ in range(plays)), play.terms.deadline
    in_time = None if deadline is None else sum(end <= deadline for end in ends) / plays
    tenth = plays // 10
    return Spread(early=ends[tenth], middle=ends[plays // 2], late=ends[-tenth - 1], in_time=in_time)
