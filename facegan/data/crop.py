"""Which part of a picture is kept."""

from __future__ import annotations

import math
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]  # left, upper, right, lower, in pixels

ALIGNED = (178, 218)  # width and height of CelebA's aligned images
REFERENCE = (30, 55, 150, 175)  # the box that the thesis' notebook cuts out of them
CROPS = ("none", "reference", "center", "face")


def region(crop: str, width: int, height: int) -> Box:
    """Return the box that a crop keeps of a picture that stands upright.

    - `none`: all of it (the thesis' section 5.7: resized without a crop, whatever that does to its proportions).
    - `reference`: (30, 55, 150, 175) of an image of 178x218 (the thesis' section 5.6); of any other size the same box
      scaled in proportion, each axis by its own factor.
    - `center`: the largest square in the middle; an odd pixel stays on the right or below.

    `face` is not here, because it depends on what is to be seen: `facegan.data.faces`.
    """
    if crop == "reference":
        across, down = width / ALIGNED[0], height / ALIGNED[1]
        left, upper, right, lower = REFERENCE
        return left * across, upper * down, right * across, lower * down
    if crop == "center":
        side = min(width, height)
        left, upper = (width - side) // 2, (height - side) // 2
        return left, upper, left + side, upper + side
    return 0, 0, width, height


def outwards(box: Box) -> tuple[int, int, int, int]:
    """Return the smallest box of whole pixels around another."""
    return math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
