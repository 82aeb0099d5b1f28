"""A training step as one compiled function, and many steps as one call.

The step is always a function of its own: compiled by XLA, or kept apart by `_noinline`. Inlined into a
loop its bits change from run to run, because TensorFlow's constant folding loses the order of reads and
writes inside loop bodies. So where calls are cut changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Inputs = tuple[Any, ...]


class CompiledStep:
    """`inputs(step)` outside, `body(step, *inputs)` inside the compiled function.

    `body` returns `width` metrics, float32 `(width,)`. `steps_per_call` is how many steps one call of the
    compiled loop makes at most.
    """

    def __init__(
        self,
        inputs: Callable[[Any], Inputs],
        body: Callable[..., Any],
        *,
        width: int,
        jit: bool,
        steps_per_call: int,
    ) -> None:
        self._steps_per_call = steps_per_call
        attributes = None if jit else {"_noinline": True}
        inner = tf.function(body, autograph=False, jit_compile=jit, experimental_attributes=attributes)
        one = tf.TensorSpec((), tf.int64)

        @tf.function(autograph=False, input_signature=[one])
        def step(number: Any) -> Any:  # noqa: ANN401 - tensors
            return inner(number, *inputs(number))

        @tf.function(autograph=False, input_signature=[one, one])
        def chunk(first: Any, count: Any) -> Any:  # noqa: ANN401 - tensors
            rows = tf.TensorArray(tf.float32, size=tf.cast(count, tf.int32), element_shape=(width,))

            def again(index: Any, rows: Any) -> tuple[Any, Any]:  # noqa: ANN401 - tensors
                number = first + index
                return index + 1, rows.write(tf.cast(index, tf.int32), inner(number, *inputs(number)))

            start = (tf.constant(0, tf.int64), rows)
            # One iteration at a time: a step reads what the one before wrote.
            return tf.while_loop(lambda index, _: index < count, again, start, parallel_iterations=1)[1].stack()

        self._step, self._chunk = step, chunk

    def run(self, first: int, count: int) -> NDArray[np.float32]:
        """Make the steps `first` to `first + count - 1`; their metrics, `(count, width)`.

        The host waits for the device once, at the end.
        """
        if self._steps_per_call == 1:
            rows = [self._step(tf.constant(number, tf.int64)) for number in range(first, first + count)]
            return np.stack([row.numpy() for row in rows])
        chunks = []
        for start in range(first, first + count, self._steps_per_call):
            length = min(self._steps_per_call, first + count - start)
            chunks.append(self._chunk(tf.constant(start, tf.int64), tf.constant(length, tf.int64)))
        return np.concatenate([rows.numpy() for rows in chunks])
