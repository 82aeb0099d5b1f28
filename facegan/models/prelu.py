"""PReLU with the first slope of its inventors."""

from __future__ import annotations

import keras
from keras import layers


def prelu(name: str, shared_axes: tuple[int, ...] | None = None) -> keras.Layer:
    """Slopes that are learnt, 0.25 at first (He et al. 2015), where Keras would begin with 0.

    One slope for each input, or one for all along `shared_axes`, counted from 1.
    """
    return layers.PReLU(alpha_initializer=keras.initializers.Constant(0.25), shared_axes=shared_axes, name=name)
