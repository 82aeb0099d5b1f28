"""How the discriminators learn in a step, by the name an experiment's `training.schedule` has for it.

A schedule has two functions. `learn`: from the discriminators, a batch of real images a domain and one of
fake images a domain, float32 `(n, h, w, c)`, it updates the discriminators and returns a `Verdict` a domain,
as the discriminator was when it looked. `judge`: the logits, `(n, 1)`, that one discriminator gives to fake
images when the generator learns, in the company in which it has learnt to see them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import keras

from facegan.training.learner import Learner
from facegan.training.losses import Verdict
from facegan.training.schedules import apart, mixed, together


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The discriminators' turn, and how they look at images in the generators' turn."""

    learn: Callable[[Learner, tuple[Any, ...], tuple[Any, ...]], list[Verdict]]
    judge: Callable[[keras.Model, Any, Any], Any]


def _alone(discriminator: keras.Model, _real: Any, fake: Any) -> Any:  # noqa: ANN401 - tensors
    """Logits of fake images that pass alone, as the discriminators of `together` and `apart` know them."""
    return discriminator(fake, training=True)


SCHEDULES = MappingProxyType(
    {
        "together": Schedule(learn=together.learn, judge=_alone),
        "apart": Schedule(learn=apart.learn, judge=_alone),
        "mixed": Schedule(learn=mixed.learn, judge=mixed.judge),
    }
)

__all__ = ["SCHEDULES", "Schedule"]
