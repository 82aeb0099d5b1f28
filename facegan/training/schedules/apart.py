"""An update on real images, then one on fake images.

The discriminator's turn in Keras-GAN and in most scripts that call `train_on_batch` twice. With two
domains the order is that of its cogan.py: a on real images, b on real ones, a on fake ones, b on fake
ones, so that what the discriminators share takes four updates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from facegan.training.learner import Learner
from facegan.training.losses import Verdict, fake_loss, real_loss, verdict


def learn(judges: Learner, real: tuple[Any, ...], fake: tuple[Any, ...]) -> list[Verdict]:
    """Two updates of each discriminator."""
    on_real = [_learn(judges, judge, each, real_loss) for judge, each in zip(judges.models, real, strict=True)]
    on_fake = [_learn(judges, judge, each, fake_loss) for judge, each in zip(judges.models, fake, strict=True)]
    return [verdict(theirs, ours) for theirs, ours in zip(on_real, on_fake, strict=True)]


def _learn(judges: Learner, judge: keras.Model, images: Any, loss: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """One update of one domain's discriminator; its logits before it."""

    def look() -> tuple[Any, Any]:
        logits = judge(images, training=True)
        return loss(logits), logits

    return judges.descend(look, [judge])
