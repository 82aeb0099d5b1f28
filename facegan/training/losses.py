"""Losses on logits: float32 `(n, 1)` in, a scalar out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one discriminator said of as many real images as fake ones, as scalar tensors.

    `loss` is the mean of the losses on real and on fake images; `real` and `fake` are the shares, 0 to 1,
    of either that it took for real.
    """

    loss: Any
    real: Any
    fake: Any


def verdict(on_real: Any, on_fake: Any) -> Verdict:  # noqa: ANN401 - tensors
    """The verdict that lies in a discriminator's logits on real and on fake images."""
    return Verdict(
        loss=0.5 * (real_loss(on_real) + fake_loss(on_fake)), real=called_real(on_real), fake=called_real(on_fake)
    )


def real_loss(logits: Any) -> Any:  # noqa: ANN401 - tensors
    """Binary cross-entropy against "real": mean of -log sigmoid(logits) (Goodfellow et al. 2014)."""
    return tf.reduce_mean(tf.math.softplus(-logits))


def fake_loss(logits: Any) -> Any:  # noqa: ANN401 - tensors
    """Binary cross-entropy against "fake": mean of -log(1 - sigmoid(logits))."""
    return tf.reduce_mean(tf.math.softplus(logits))


def called_real(logits: Any) -> Any:  # noqa: ANN401 - tensors
    """The share of images taken for real, 0 to 1."""
    return tf.reduce_mean(tf.cast(logits > 0, tf.float32))
