"""Pictures for people: fixed latents, drawn as a grid in a PNG file."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SPACE = 2  # pixels between images


def to_bytes(images: NDArray[np.float32], value_range: str) -> NDArray[np.uint8]:
    """From a model's range (`tanh`: [-1, 1], `unit`: [0, 1]) to 0..255, rounded."""
    unit = (images + 1.0) / 2.0 if value_range == "tanh" else images
    return np.rint(np.clip(unit, 0.0, 1.0) * 255.0).astype(np.uint8)


def grid(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay `(n, h, w, c)` images row by row into one as square as it gets, black between them."""
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * (height + SPACE) - SPACE, columns * (width + SPACE) - SPACE, channels), np.uint8)
    for place, image in enumerate(images):
        top, left = (place // columns) * (height + SPACE), (place % columns) * (width + SPACE)
        sheet[top : top + height, left : left + width] = image
    return sheet


def png(image: NDArray[np.uint8]) -> bytes:
    """A `(h, w, c)` image as a PNG file, grey for one channel. Equal images are equal bytes."""
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG", optimize=False)
    return file.getvalue()
