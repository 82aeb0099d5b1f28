"""An encoded picture, from anywhere, to pixels that stand upright. Pillow and NumPy, and nothing else.

What a file is called says nothing: its content says what it is. What is not grey or RGB is made RGB: grey, palette and
CMYK by Pillow; transparent pixels on white; 16 bits a channel to their upper eight. Of an animation or of several
pages the first one is taken. EXIF orientation is obeyed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, UnidentifiedImageError

from facegan.data import skipping
from facegan.data.crop import Box
from facegan.data.skipping import Skip

# Only what Pillow reads by itself: one of its other formats (EPS) would start another program.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MOST_PIXELS = 89_478_485  # Pillow warns of more, and decodes twice as many; here they are never decoded
FEWEST_PIXELS = 8  # of a side

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = 5  # from this orientation on, width and height change places


def decoded(data: bytes, region: Callable[[int, int], Box], size: int | None) -> Image.Image:
    """Return the picture upright, in mode RGB; perhaps smaller than it is, when that serves `size`.

    Args:
        data: The file.
        region: The box that will be cut out of an upright picture of so much width and height.
        size: To how many pixels, both ways, that box will then be resized; `None`: not at all.

    Raises:
        Skip: it is no picture, or broken, or of too many or too few pixels.
    """
    if not data:
        raise Skip(skipping.EMPTY)
    try:
        picture = _opened(data)
        orientation = _orientation(picture)
        if size is not None:
            _draft(picture, region, size, sideways=orientation >= SIDEWAYS)
        colours = _rgb(picture)
        if picture.format != "JPEG":  # a TIFF has been turned by Pillow, and a PNG may say it behind its pixels
            orientation = _orientation(picture)
        return colours.transpose(TURNS[orientation]) if orientation in TURNS else colours
    except (Skip, MemoryError):  # too little memory is no property of the picture
        raise
    except Image.DecompressionBombError as error:
        raise Skip(skipping.BOMB) from error
    except Exception as error:  # hostile bytes make Pillow's plugins raise nearly anything
        raise Skip(skipping.BROKEN) from error


def _opened(data: bytes) -> Image.Image:
    """Read the head of the file, and decide by it whether the rest is worth reading."""
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Skip(skipping.NOT_A_PICTURE) from error
    if picture.width * picture.height > MOST_PIXELS:
        raise Skip(skipping.BOMB)
    if min(picture.size) < FEWEST_PIXELS:
        raise Skip(skipping.TOO_SMALL)
    return picture


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where the file does not say it in a way that can be read."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a damaged note about a picture is no damaged picture
        return 1


def _draft(picture: Image.Image, region: Callable[[int, int], Box], size: int, *, sideways: bool) -> None:
    """Have a JPEG decoded at 1/2, 1/4 or 1/8 of its size, which costs about as much less.

    Only as far as the box does not get smaller than `size`. A box of less than twice the size is decoded whole: the
    120 pixels of the thesis' crop, at 64, come out bit for bit. Elsewhere the result differs from a bicubic resize of
    the whole picture by 1.2 of 255 on the mean (CelebA at exactly one half), where Lanczos would differ by 0.9 and
    bilinear by 1.7. Other formats than JPEG are left as they are.
    """
    width, height = picture.size[::-1] if sideways else picture.size
    left, upper, right, lower = region(width, height)
    wanted = (
        max(1, math.ceil(size * width / (right - left))),
        max(1, math.ceil(size * height / (lower - upper))),
    )
    picture.draft(None, wanted[::-1] if sideways else wanted)


def _rgb(picture: Image.Image) -> Image.Image:
    mode = picture.mode
    if mode.startswith("I"):
        return _upper_bits(picture).convert("RGB")
    if mode == "F":
        raise Skip(skipping.DEPTH)
    if mode[-1] in "Aa" or "transparency" in picture.info:
        painted = Image.new("RGBA", picture.size, "white")
        painted.alpha_composite(picture.convert("RGBA"))
        return painted.convert("RGB")
    picture.load()
    return picture if mode == "RGB" else picture.convert("RGB")


def _upper_bits(picture: Image.Image) -> Image.Image:
    """Return sixteen-bit grey as eight-bit grey."""
    pixels = np.asarray(picture)
    if pixels.min() < 0 or pixels.max() >= 1 << 16:
        raise Skip(skipping.DEPTH)
    return Image.fromarray((pixels >> 8).astype(np.uint8))
