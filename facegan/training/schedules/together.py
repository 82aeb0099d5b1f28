"""One update on real and fake images, which pass apart: batch statistics never mix them.

The discriminator's turn in Goodfellow et al. 2014, algorithm 1, with k = 1, and in the DCGAN reference
code. The losses of two domains are summed.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from facegan.training.learner import Learner
from facegan.training.losses import Verdict, verdict


def learn(judges: Learner, real: tuple[Any, ...], fake: tuple[Any, ...]) -> list[Verdict]:
    """One update of all discriminators."""

    def look() -> tuple[Any, list[Verdict]]:
        verdicts = [
            verdict(judge(theirs, training=True), judge(ours, training=True))
            for judge, theirs, ours in zip(judges.models, real, fake, strict=True)
        ]
        return tf.add_n([each.loss for each in verdicts]), verdicts

    seen: list[Verdict] = judges.descend(look, judges.models)
    return seen
