"""One step on several devices of a machine: each takes its share of the batch, and all end with the same weights.

The samples shown are those of one device: a step's batch and latents are functions of (seed, step), and replica r of n
takes the r-th of n equal parts of them. Gradients are averaged over the whole batch, and so are the metrics. Batch
normalisation sees a replica's own part alone, as in the data-parallel programs that DCGANs come from; the moving
statistics that are kept are the first replica's.

Between two steps all replicas hold the same, but for those statistics, which no step reads. So a state is one value
for each variable, of the same names and shapes as with one device.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import tensorflow as tf

from facegan.training import device

Body = Callable[..., Any]


class Replicas(Protocol):
    """How many devices take a step together, seen from inside it."""

    @abstractmethod
    def scope(self) -> AbstractContextManager[object]:
        """Where networks and optimisers are built."""

    @abstractmethod
    def share(self, whole: Any) -> Any:  # noqa: ANN401 - tensors
        """Of a tensor `(batch, …)` the part of the replica that asks, `(batch / replicas, …)`."""

    @abstractmethod
    def averaged(self, gradients: Sequence[Any]) -> Sequence[Any]:
        """Gradients of one replica such that the optimiser, which adds them up, follows those of the whole batch."""

    @abstractmethod
    def spread(self, body: Body, random: Sequence[Any]) -> Body:
        """`body` on every replica, returning the mean of what each returns.

        `random` are the variables that random numbers are drawn from inside: each replica draws its own.
        """


class One(Replicas):
    """The step as it is."""

    def scope(self) -> AbstractContextManager[object]:
        return contextlib.nullcontext()

    def share(self, whole: Any) -> Any:  # noqa: ANN401 - tensors
        return whole

    def averaged(self, gradients: Sequence[Any]) -> Sequence[Any]:
        return gradients

    def spread(self, body: Body, random: Sequence[Any]) -> Body:
        del random
        return body


ONE = One()


class Several(Replicas):
    """The step on the first `count` devices, which must be alike.

    Gradients are copied to the first device, added there in the order of the replicas, and copied back. NCCL would
    choose its own order, by the machine's wiring and the size of each tensor.
    """

    def __init__(self, count: int) -> None:
        """Raises BadInputError: there are not so many devices, or they are not alike."""
        self._count = count
        self._strategy = tf.distribute.MirroredStrategy(device.several(count), tf.distribute.ReductionToOneDevice())

    def scope(self) -> AbstractContextManager[object]:
        scope: AbstractContextManager[object] = self._strategy.scope()
        return scope

    def share(self, whole: Any) -> Any:  # noqa: ANN401 - tensors
        size = whole.shape[0] // self._count
        return whole[_place() * size : (_place() + 1) * size]

    def averaged(self, gradients: Sequence[Any]) -> Sequence[Any]:
        return [gradient / float(self._count) for gradient in gradients]

    def spread(self, body: Body, random: Sequence[Any]) -> Body:
        def here(*inputs: Any) -> Any:  # noqa: ANN401 - tensors
            # Alike again after the step, so that one value is all there is to save.
            _shift(random, _place())
            made = body(*inputs)
            _shift(random, -_place())
            return made

        def everywhere(*inputs: Any) -> Any:  # noqa: ANN401 - tensors
            made = self._strategy.experimental_local_results(self._strategy.run(here, args=inputs))
            return tf.add_n(list(made)) / float(self._count)

        return everywhere


def over(count: int) -> Replicas:
    """So many replicas.

    Raises:
        BadInputError: this machine has not so many devices, or they are not alike.
    """
    return ONE if count == 1 else Several(count)


def _place() -> int:
    """Which replica this is, from 0."""
    return int(tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group))


def _shift(states: Sequence[Any], by: int) -> None:
    """Move the keys of Keras' random states, int64 `(2,)`, key and count."""
    if by:
        for state in states:
            state.assign(state.value + tf.constant([by, 0], state.dtype))
