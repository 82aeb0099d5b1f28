"""One picture of a source to the pixels that training sees: decoded, cut out, resized. Nothing of it is random."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facegan.data import crop, decode, faces, skipping
from facegan.data.crop import Box
from facegan.data.skipping import Skip
from facegan.data.source import Item, Source

Pixels = NDArray[np.uint8]
CHANNELS = (1, 3)
OWN_SIZE_MOST = 2**22  # pixels of a picture that keeps its own size: an array of larger ones serves nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What is done to each picture.

    Attributes:
        crop: One of `crop.CROPS`.
        size: Pixels of the result, both ways; `None`: whatever the crop leaves.

    """

    crop: str
    size: int | None

    def pixels(self, source: Source, item: Item) -> Pixels:
        """Return a picture as (h, w, 3), or (h, w, 1) where the source has grey pixels; uint8.

        It is `picture.crop(box).resize((size, size), BICUBIC)`, but for what changes where a JPEG is decoded at a
        fraction of its size (`facegan.data.decode`).

        Raises:
            Skip: it cannot be used; says why.
        """
        found = source.picture(item)
        if not isinstance(found, bytes):
            return self._of_pixels(found)
        if self.crop == "face":
            return self._of_face(decode.decoded(found, _whole, None))
        region = functools.partial(crop.region, self.crop)
        return self._cut(decode.decoded(found, region, self.size))

    def _of_pixels(self, found: Pixels) -> Pixels:
        if found.dtype != np.uint8 or found.ndim != len("hwc") or found.shape[2] not in CHANNELS:
            raise Skip(skipping.BROKEN)
        if min(found.shape[:2]) < decode.FEWEST_PIXELS:
            raise Skip(skipping.TOO_SMALL)
        if self.crop == "none" and (self.size is None or found.shape[:2] == (self.size, self.size)):
            return found
        picture = Image.fromarray(found[..., 0] if found.shape[2] == 1 else found)
        return self._of_face(picture.convert("RGB")) if self.crop == "face" else self._cut(picture)

    def _of_face(self, picture: Image.Image) -> Pixels:
        face = _face_cropper()(np.asarray(picture))
        if isinstance(face, str):
            raise Skip(face)
        return self._resized(Image.fromarray(face), _whole(face.shape[1], face.shape[0]))

    def _cut(self, picture: Image.Image) -> Pixels:
        """Cut first, at whole pixels, so that nothing from outside the box bleeds into the result."""
        if picture.size == (self.size, self.size) and self.crop != "reference":
            return _array(picture)  # decoded at just that size, and square, so that no crop takes anything away
        box = crop.region(self.crop, *picture.size)
        outer = crop.outwards(box)
        cut = picture if outer == (0, 0, *picture.size) else picture.crop(outer)
        left, upper, right, lower = box
        return self._resized(cut, (left - outer[0], upper - outer[1], right - outer[0], lower - outer[1]))

    def _resized(self, cut: Image.Image, box: Box) -> Pixels:
        if self.size is not None:
            cut = cut.resize((self.size, self.size), Image.Resampling.BICUBIC, box=box)
        elif cut.width * cut.height > OWN_SIZE_MOST:
            raise Skip(skipping.BOMB)
        return _array(cut)


def _array(picture: Image.Image) -> Pixels:
    pixels: Pixels = np.asarray(picture)
    return pixels if pixels.ndim == len("hwc") else pixels[..., np.newaxis]


def _whole(width: int, height: int) -> Box:
    return crop.region("none", width, height)


@functools.cache
def _face_cropper() -> Callable[[Pixels], Pixels | str]:
    """Load the detector: once a process, and only where faces are asked for."""
    return faces.cropper()
