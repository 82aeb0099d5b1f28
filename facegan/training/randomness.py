"""Random numbers as functions of (seed, purpose, step): no generator, no position to lose.

The counter-based Philox generator (Salmon et al. 2011) is named everywhere, because `auto` may choose
another one on another device. Its bits differ between plain and XLA-compiled functions, so a run never
changes its compile choice.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import tensorflow as tf

ALGORITHM = "philox"


class Purpose(IntEnum):
    """What a random number is for. Numbers are part of every run's history: never renumber, nor give 5 again."""

    LATENT = 1
    ORDER = 2
    SAMPLES = 3
    EVALUATION = 4
    ASKED = 6
    FRESH_LATENT = 7
    WARM_UP = 8
    CUT = 9
    MIRROR = 10


def seed_at(seed: int, purpose: Purpose, step: Any) -> Any:  # noqa: ANN401 - int or int64 tensor
    """A Philox key, int32 `(2,)`, of its own for every (seed, purpose, step)."""
    key = tf.constant([seed, int(purpose)], tf.int32)
    return tf.random.fold_in(key, tf.cast(step, tf.int32), alg=ALGORITHM)


def latents(key: Any, count: int, size: int, noise: str) -> Any:  # noqa: ANN401 - tensors
    """Latent vectors, float32 `(count, size)`: standard normal, or uniform in [-1, 1)."""
    if noise == "normal":
        return tf.random.stateless_normal((count, size), key, alg=ALGORITHM)
    return tf.random.stateless_uniform((count, size), key, -1.0, 1.0, alg=ALGORITHM)


def pixels(key: Any, domain: int, shape: Any, value_range: str) -> Any:  # noqa: ANN401 - tensors
    """Images of nothing but noise, float32 of that shape: uniform over the range, `tanh` [-1, 1) or `unit` [0, 1)."""
    own = tf.random.fold_in(key, domain, alg=ALGORITHM)
    return tf.random.stateless_uniform(shape, own, -1.0 if value_range == "tanh" else 0.0, 1.0, alg=ALGORITHM)


def batch_indices(seed: int, purpose: Purpose, step: Any, batch: int, count: int) -> Any:  # noqa: ANN401
    """Which of `count` images make up a step's batch, int64 `(batch,)`.

    Image after image in an endless row of epochs, each a shuffle of its own; a batch may reach over the
    border of two. Steps below 0, a warm-up's, are in epochs of their own. Not for XLA, which cannot
    compile the shuffle.
    """
    position = tf.cast(step, tf.int64) * batch + tf.range(batch, dtype=tf.int64)
    epoch, place = position // count, position % count
    fixed = [tf.fill([batch], tf.constant(value, tf.int64)) for value in (seed, int(purpose))]
    # The raw operation: `tf.random.experimental.index_shuffle` (2.21) pads a matrix of seeds wrongly.
    return tf.raw_ops.RandomIndexShuffle(
        index=place, seed=tf.stack([*fixed, epoch], axis=1), max_index=tf.constant(count - 1, tf.int64)
    )
