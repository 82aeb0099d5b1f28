"""Dropout whose random state has a name that is the same in every build.

Keras numbers the seed generators of its own layer through the life of a process, so that a state written by
one process would not be found by the next.
"""

from __future__ import annotations

from typing import Any

import keras

from facegan.models.network import layer_seed


class Dropout(keras.Layer):
    """While training, zeros for a share `rate` of the inputs, and the others divided by `1 - rate`.

    Each call draws anew: the counter it draws from is a variable of the layer, int64 `(2,)`, and so part of
    a training's state, but no parameter.
    """

    def __init__(self, rate: float, seed: int, name: str) -> None:
        """`seed` is the experiment's: the layer derives its own from it and from its name."""
        super().__init__(name=name)
        self.rate = rate
        self._draws = keras.random.SeedGenerator(layer_seed(seed, name), name=name)

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: ANN401 - tensors
        """Inputs of any shape; the same shape."""
        return keras.random.dropout(inputs, self.rate, seed=self._draws) if training else inputs
