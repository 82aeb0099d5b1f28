"""Everything that must come back: the variables, in a fixed order under stable names.

A serialised state is one safetensors file: every variable of the networks and optimisers, the
classifier's weights where a metric has one, and `step`, int64 `()`. Equal states are equal bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from facegan.errors import DamagedError

STEP = "step"
PIECE = 16 << 20  # bytes written at once
DTYPES = MappingProxyType({"int64": "I64", "float32": "F32", "uint32": "U32", "int32": "I32", "float16": "F16"})
"""What safetensors calls the types that variables have, in the order in which they lie in the file."""


class State:
    """The variables of a training, with one host buffer for each, allocated once.

    `variables` maps names to Keras variables. A snapshot fills the buffers and is serialised later,
    perhaps on another thread; the next snapshot fills the same buffers. So there are at most two copies of a
    state, which is 1.5 GB for the largest networks: the buffers and the serialised bytes.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = dict(variables)
        self._buffers: dict[str, NDArray[Any]] = {
            name: np.empty(tuple(variable.shape), np.dtype(variable.dtype))
            for name, variable in self._variables.items()
        }

    def snapshot(self, step: int) -> Callable[[], bytes]:
        """Copy every variable to the host; what is returned serialises the copies."""
        for name, variable in self._variables.items():
            # The buffer of the tensor itself: `numpy()` would copy into memory that has to be found first.
            np.copyto(self._buffers[name], np.asarray(memoryview(variable.value.value())))

        def serialise() -> bytes:
            return serialised({STEP: np.asarray(step, np.int64), **self._buffers})

        return serialise

    def restore(self, state: bytes) -> int:
        """Set every variable from a serialised state; returns its step.

        Everything is checked before the first variable is touched.

        Raises:
            DamagedError: a name, shape or dtype is not this training's.
        """
        try:
            arrays = safetensors.numpy.load(state)
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise DamagedError(f"the state cannot be read: {error}") from error
        step = arrays.pop(STEP, None)
        if step is None or step.dtype != np.int64 or step.shape != () or step < 0:
            raise DamagedError(f'the state has no "{STEP}" that is a count')
        self._match(arrays)
        for name, variable in self._variables.items():
            variable.assign(arrays[name])
        return int(step)

    def _match(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Refuse arrays that are not exactly this training's variables."""
        for name in sorted(arrays.keys() ^ self._variables.keys()):
            lacks = "lacks" if name in self._variables else "has an unknown"
            raise DamagedError(f'the state {lacks} "{name}": it is of other networks')
        for name, buffer in self._buffers.items():
            array = arrays[name]
            if array.shape != buffer.shape or array.dtype != buffer.dtype:
                raise DamagedError(
                    f'"{name}" is {array.dtype}{list(array.shape)} in the state, not {buffer.dtype}{list(buffer.shape)}'
                )


def serialised(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays, C order, as a safetensors file: the very bytes of `safetensors.numpy.save`.

    That function makes a second copy of everything on its way. Here the arrays are written piece by piece,
    which also lets other threads run between two pieces.
    """
    places = list(DTYPES)
    ordered = sorted(arrays.items(), key=lambda pair: (places.index(pair[1].dtype.name), pair[0]))
    header: dict[str, Any] = {}
    end = 0
    for name, array in ordered:
        start, end = end, end + array.nbytes
        header[name] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, end]}
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    head += b" " * (-len(head) % 8)
    file = io.BytesIO()
    file.write(len(head).to_bytes(8, "little") + head)
    for _, array in ordered:
        flat = array.reshape(-1).view(np.uint8)
        for start in range(0, flat.nbytes, PIECE):
            file.write(flat[start : start + PIECE].data)
    return file.getvalue()  # the file's own memory: not a copy, because nothing is written after it
