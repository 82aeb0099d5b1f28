"""How a training step is compiled: settled by a table before a run is created, never measured at start.

The two choices draw different random numbers, so the choice is part of the run for ever.
"""

from __future__ import annotations

from facegan.catalog import families

CPU = {
    # XLA's CPU convolutions are an order of magnitude slower than TensorFlow's (oneDNN).
    "convolution": "graph",
    # XLA fuses Adam's many small passes over large matrices: 13 ms a step for 21.
    "dense": "jit",
}


def choose(family: str, device: str, replicas: int = 1) -> str:
    """`graph` or `jit` for a model family on a device (`cpu` or `gpu`).

    On GPUs it is `jit` for all: expected to be faster there and not measured yet. But for several replicas,
    whose gradients meet in the middle of a step: XLA compiles for one device.

    Raises:
        BadInputError: there is no such family.
    """
    works_on = families.find(family).works_on
    if replicas > 1:
        return "graph"
    return CPU[works_on] if device == "cpu" else "jit"
