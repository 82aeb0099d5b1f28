"""One update on one batch of real and fake images, half and half: batch statistics are of both.

The discriminator's turn in the authors' code of the CoGAN paper (Liu & Tuzel 2016), where the losses of
both domains are summed into one update of both discriminators. In the generator's turn the real images are
there too: to a discriminator with batch normalisation that knows half a batch to be real, fake images alone
look half real whatever they are, and teach nothing.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from facegan.training.learner import Learner
from facegan.training.losses import Verdict, verdict


def learn(judges: Learner, real: tuple[Any, ...], fake: tuple[Any, ...]) -> list[Verdict]:
    """One update of all discriminators."""

    def look() -> tuple[Any, list[Verdict]]:
        verdicts = [
            verdict(*tf.split(judge(tf.concat([theirs, ours], 0), training=True), 2))
            for judge, theirs, ours in zip(judges.models, real, fake, strict=True)
        ]
        return tf.add_n([each.loss for each in verdicts]), verdicts

    seen: list[Verdict] = judges.descend(look, judges.models)
    return seen


def judge(discriminator: keras.Model, real: Any, fake: Any) -> Any:  # noqa: ANN401 - tensors
    """The logits of fake images, `(n, 1)`, in one batch with real ones."""
    _, ours = tf.split(discriminator(tf.concat([real, fake], 0), training=True), 2)
    return ours
