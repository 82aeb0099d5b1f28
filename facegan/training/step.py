"""One training step, for one image domain or two: the discriminators as scheduled, then the generators.

Goodfellow et al. 2014, algorithm 1 with k = 1 and the non-saturating generator loss of its section 3.
The generators are judged by the discriminators that have just learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from facegan.models.network import DOMAINS, variables
from facegan.training.learner import Learner
from facegan.training.losses import Verdict, real_loss
from facegan.training.schedules import Schedule


class Step:
    """The step over all networks of an experiment.

    Metrics: `d_loss`, the mean of the losses on real and on fake images; `g_loss`; `d_accuracy`, the share of
    images, half of them real, that were called what they are; `d_real` and `d_fake`, the shares of real
    and of fake images that were taken for real. With two domains these are their means, but for `g_loss`,
    which is the sum that is minimised; and `d_loss_a`, `d_loss_b`, `g_loss_a`, `g_loss_b`, `d_accuracy_a` and
    `d_accuracy_b` are each one's.

    `random` are the variables that random numbers are drawn from inside the networks.
    """

    def __init__(self, generators: Learner, discriminators: Learner, schedule: Schedule) -> None:
        self._generators, self._judges = generators, discriminators
        self._schedule = schedule
        self._masks = _random_states(discriminators.models)
        self.random = _random_states([*generators.models, *discriminators.models])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what a step returns, in order."""
        each = [f"{metric}_{domain}" for metric in ("d_loss", "g_loss", "d_accuracy") for domain in DOMAINS]
        return ("d_loss", "g_loss", "d_accuracy", "d_real", "d_fake", *(each if len(self._judges.models) > 1 else ()))

    def __call__(self, real: tuple[Any, ...], latents: Any, fresh: Any = None) -> Any:  # noqa: ANN401 - tensors
        """Update all networks; metrics, float32 `(len(metrics),)`.

        `real` is a batch `(n, h, w, c)` a domain. The discriminators see what the generators make of
        `latents`, `(n, latent)`; the generators learn on the same images, or on those they make of `fresh`.
        """
        tape, images = self._make(latents)
        verdicts = self.teach(real, tuple(tf.stop_gradient(each) for each in images))
        if fresh is not None:
            tape, images = self._make(fresh)
        with tape:
            losses = self._judged(real, images)
            loss = tf.add_n(losses)
        self._generators.follow(tape, loss, self._generators.models)
        return _row(verdicts, loss, losses)

    def teach(self, real: tuple[Any, ...], fake: tuple[Any, ...]) -> list[Verdict]:
        """Update the discriminators alone."""
        return self._schedule.learn(self._judges, real, fake)

    def _make(self, latents: Any) -> tuple[Any, list[Any]]:  # noqa: ANN401 - tensors
        """The generators' images, and the tape that knows how they were made."""
        tape = self._generators.watch(self._generators.models)
        with tape:
            return tape, [generator(latents, training=True) for generator in self._generators.models]

    def _judged(self, real: Sequence[Any], images: Sequence[Any]) -> list[Any]:
        """The generators' losses, one a domain.

        In a scope that is thrown away: judging for the generators leaves the judges' moving statistics alone. Only
        Dropout's random states move on, or its next masks would be these again.
        """
        with keras.StatelessScope() as scope:
            losses = [
                real_loss(self._schedule.judge(judge, theirs, ours))
                for judge, theirs, ours in zip(self._judges.models, real, images, strict=True)
            ]
            moved = [scope.get_current_value(state) for state in self._masks]
        for state, value in zip(self._masks, moved, strict=True):
            state.assign(value)
        return losses


def _random_states(models: Sequence[keras.Model]) -> list[Any]:
    """The variables that are no weights: the positions of the Dropout layers' random numbers."""
    weights = {id(weight) for model in models for weight in model.weights}
    return [variable for variable in variables(models) if id(variable) not in weights]


def _row(verdicts: Sequence[Verdict], loss: Any, losses: Sequence[Any]) -> Any:  # noqa: ANN401 - tensors
    d_losses = [each.loss for each in verdicts]
    d_real, d_fake = _mean([each.real for each in verdicts]), _mean([each.fake for each in verdicts])
    accuracies = [_accuracy(each.real, each.fake) for each in verdicts]
    each_domain = [*d_losses, *losses, *accuracies] if len(verdicts) > 1 else []
    return tf.stack([_mean(d_losses), loss, _accuracy(d_real, d_fake), d_real, d_fake, *each_domain])


def _accuracy(real: Any, fake: Any) -> Any:  # noqa: ANN401 - tensors
    """The share of images, half of them real, that were called what they are."""
    return 0.5 * (real + 1.0 - fake)


def _mean(values: Sequence[Any]) -> Any:  # noqa: ANN401 - tensors
    return tf.add_n(values) / float(len(values))
