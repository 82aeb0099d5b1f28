"""The two image domains of a coupled GAN, made of one data set.

Keras-GAN's choice: the first half of the images as they are, and the second half turned by 90 degrees
against the clock (`scipy.ndimage.rotate(x, 90, axes=(1, 2))`), so that no image is in both. A last
image that has no partner is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def halves(images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two domains of as many images each, `(n // 2, h, w, c)`; the images must be square."""
    half = len(images) // 2
    return images[:half], np.ascontiguousarray(np.rot90(images[half : 2 * half], axes=(1, 2)))


def upright(turned: NDArray[Any]) -> NDArray[Any]:
    """Images of the second domain, turned back."""
    return np.ascontiguousarray(np.rot90(turned, -1, axes=(1, 2)))
