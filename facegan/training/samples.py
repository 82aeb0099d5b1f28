"""Pictures for people: images in a grid, in a PNG file that says where they come from."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SPACE = 2  # pixels between images
GAP = 8  # pixels between real images and generated ones
CHUNK = 64  # images generated at once, so that memory does not grow with their number
SYNTHETIC = "synthetic images, made by a GAN"
REAL_AND_SYNTHETIC = "real images on the left; on the right synthetic images, made by a GAN"


def draw(
    generate: Callable[[Any], Sequence[Any]],
    latents: Any,  # noqa: ANN401 - a tensor
    value_range: str,
) -> list[NDArray[np.uint8]]:
    """What `generate` makes of latents, `(n, latent)`: an array uint8 `(n, h, w, c)` a domain."""
    chunks = [generate(latents[start : start + CHUNK]) for start in range(0, len(latents), CHUNK)]
    return [np.concatenate([to_bytes(each.numpy(), value_range) for each in one]) for one in zip(*chunks, strict=True)]


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


def beside(real: NDArray[np.uint8], generated: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grid of real images and, to its right, one of as many generated ones, white between them."""
    left, right = grid(real), grid(generated)
    between = np.full((len(left), GAP, left.shape[-1]), 255, np.uint8)
    return np.concatenate([left, between, right], axis=1)


def text(source: str, run: str, step: int) -> dict[str, str]:
    """What a picture says about itself: `source` in words, and which run made it at which step."""
    return {"Source": source, "facegan:run": run, "facegan:step": str(step)}


def png(image: NDArray[np.uint8], said: Mapping[str, str]) -> bytes:
    """A `(h, w, c)` image as a PNG file, grey for one channel, with what is `said` as text chunks.

    Equal images that say the same are equal bytes.
    """
    chunks = PngInfo()
    for key, value in said.items():
        chunks.add_text(key, value)
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG", optimize=False, pnginfo=chunks)
    return file.getvalue()
