"""Estimates from what was measured."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.planning.prospects import Estimate

ALONE = 2.0  # one measurement says no more than that the next is within half and twice of it
ENOUGH = 10  # measurements, of which the tenth parts can be told


def of(measured: Sequence[float]) -> Estimate | None:
    """What the next one will be like, none of them below 0: the middle one, and how far they are apart.

    Of less than ten the farthest stand for one in ten; of fewer than three, the spread is taken to be wide.
    """
    if not measured:
        return None
    values = sorted(measured)
    likely = values[len(values) // 2] if len(values) % 2 else sum(values[len(values) // 2 - 1 :][:2]) / 2
    if len(values) < 3:  # noqa: PLR2004
        return Estimate(likely=likely, low=values[0] / ALONE, high=values[-1] * ALONE)
    edge = len(values) // ENOUGH
    return Estimate(likely=likely, low=values[edge], high=values[-1 - edge])


def within(likely: float, share: float) -> Estimate:
    """A number that is believed to be that, give or take such a share of it."""
    return Estimate(likely=likely, low=likely * (1.0 - share), high=likely * (1.0 + share))
