"""The metrics of a run, sorted into those that belong on one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from facegan.checkpoints import Point

LOSS, ACCURACY, SHARE, JUDGEMENT = "loss", "accuracy", "share", "judgement"
TITLES = MappingProxyType(
    {
        LOSS: "Loss",
        ACCURACY: "Accuracy of the discriminators",
        SHARE: "Other metrics of each step",
        JUDGEMENT: "Evaluation",
    }
)
MEAN_ACCURACY = "d_accuracy"
EACH_ACCURACY = frozenset({"d_accuracy_a", "d_accuracy_b"})
COMPARED = ("d_loss", "g_loss", MEAN_ACCURACY)  # the metrics of each step that are compared between runs
EVERY_STEP = 0.5  # a metric of at least this share of the steps is one of each step, not of evaluations


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric: its values by step, which ascend."""

    name: str
    steps: Sequence[int]
    values: Sequence[float]


def series(points: Sequence[Point]) -> Mapping[str, Series]:
    """Every metric by its name, in the order in which they first come."""
    found: dict[str, Series] = {}
    for name in dict.fromkeys(name for point in points for name in point.values):
        held = [(point.step, point.values[name]) for point in points if name in point.values]
        found[name] = Series(name=name, steps=[step for step, _ in held], values=[value for _, value in held])
    return found


def charts(points: Sequence[Point]) -> Mapping[str, list[Series]]:
    """The metrics by the kind of chart they belong on, in the order in which charts are shown.

    Where each domain's discriminator has an accuracy, their mean is left out (figure 36 of the thesis).
    """
    known = series(points)
    found: dict[str, list[Series]] = {kind: [] for kind in TITLES}
    for name, each in known.items():
        if name != MEAN_ACCURACY or not known.keys() >= EACH_ACCURACY:
            found[_kind(each, len(points))].append(each)
    return {kind: held for kind, held in found.items() if held}


def _kind(series: Series, steps: int) -> str:
    if LOSS in series.name:
        return LOSS
    if ACCURACY in series.name:
        return ACCURACY
    return SHARE if len(series.steps) >= EVERY_STEP * steps else JUDGEMENT
