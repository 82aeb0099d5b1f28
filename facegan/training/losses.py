"""Losses on logits: float32 `(n, 1)` in, a scalar out."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def real(logits: Any) -> Any:  # noqa: ANN401 - tensors
    """Binary cross-entropy against "real": mean of -log sigmoid(logits) (Goodfellow et al. 2014)."""
    return tf.reduce_mean(tf.math.softplus(-logits))


def fake(logits: Any) -> Any:  # noqa: ANN401 - tensors
    """Binary cross-entropy against "fake": mean of -log(1 - sigmoid(logits))."""
    return tf.reduce_mean(tf.math.softplus(logits))


def called_real(logits: Any) -> Any:  # noqa: ANN401 - tensors
    """The share of images taken for real, 0 to 1."""
    return tf.reduce_mean(tf.cast(logits > 0, tf.float32))
