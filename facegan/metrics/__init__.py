"""Judgements of a generator, by the name an experiment's `evaluation.metric` has for them.

Each is a function that makes the metric for an experiment, its images and the domains it shows of them, or
raises `BadInputError` where it would mean nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from facegan.data import Images
from facegan.data.domains import Domain
from facegan.experiment import Experiment
from facegan.metrics import agreement, digits
from facegan.metrics.digits import DigitsSure
from facegan.metrics.metric import Metric

METRICS: MappingProxyType[str, Callable[[Experiment, Images, Sequence[Domain]], Metric]] = MappingProxyType(
    {"agreement": agreement.fitting, "digits-sure": digits.fitting}
)

__all__ = ["METRICS", "DigitsSure", "Metric"]
