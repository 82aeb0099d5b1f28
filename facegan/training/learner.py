"""Networks of one kind with their optimiser: one step of gradient descent at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from facegan.models.network import trainable
from facegan.training.replicas import ONE, Replicas


class Learner:
    """All generators, or all discriminators, of an experiment.

    `weight_decay` times each kernel is added to its gradient before the optimiser sees it: the L2 penalty
    of Caffe, on kernels alone (not on biases, normalisation or PReLU).
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        optimizer: Any,  # noqa: ANN401
        weight_decay: float,
        replicas: Replicas = ONE,
    ) -> None:
        """`optimizer` is a Keras optimiser that was built for all variables the models train."""
        self.models = tuple(models)
        self._optimizer = optimizer
        self._weight_decay = weight_decay
        self._replicas = replicas

    def watch(self, models: Sequence[keras.Model]) -> Any:  # noqa: ANN401 - a tape
        """A tape that follows the models' weights, to be given back to `follow`."""
        tape = tf.GradientTape(watch_accessed_variables=False)
        with tape:
            tape.watch([variable.value for variable in trainable(models)])
        return tape

    def follow(self, tape: Any, loss: Any, models: Sequence[keras.Model]) -> None:  # noqa: ANN401 - tensors
        """One optimiser step down the gradient of what the tape recorded."""
        trained = trainable(models)
        gradients = tape.gradient(loss, [variable.value for variable in trained])
        self._optimizer.apply(self._replicas.averaged(self._decayed(gradients, trained)), trained)

    def descend(self, look: Callable[[], tuple[Any, Any]], models: Sequence[keras.Model]) -> Any:  # noqa: ANN401
        """One optimiser step down the first of what `look` returns; returns the second, as it was before."""
        tape = self.watch(models)
        with tape:
            loss, seen = look()
        self.follow(tape, loss, models)
        return seen

    def _decayed(self, gradients: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
        if not self._weight_decay:
            return list(gradients)
        return [
            gradient + self._weight_decay * variable.value if variable.name == "kernel" else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]
