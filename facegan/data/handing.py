"""Pixels from the processes that render them to the one that collects them, through files that are used in turns.

Through a pipe every picture would be copied six times on its way; here it is copied into a file and out of it. The
files hold what is under way and are written over and over, so their bytes hardly ever reach the disk. What a kill
leaves of them nobody reads: they go with the folder of the unfinished work.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from facegan.data.rendering import Pixels

# Not cut first: the pages that are there are used again, and ext4 would write a file that was cut to the disk at once.
OVER = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)


class Slots:
    """The collecting process' side: files for the pictures of one message each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free: list[str] = []
        self._made = 0

    def take(self) -> str:
        """Return the path of a file that nobody uses; it is there when something was handed over."""
        if self._free:
            return self._free.pop()
        self._made += 1
        return str(self._folder / f"slot-{self._made}")

    def free(self, slot: str) -> None:
        """What was handed over there is not needed any more."""
        self._free.append(slot)


def hand_over(pixels: Pixels, slot: str) -> None:
    """Put pixels into a file.

    Raises:
        OSError: the disk is full.
    """
    rest = np.ascontiguousarray(pixels).data.cast("B")
    file = os.open(slot, OVER)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)


def collect(slot: str, shape: tuple[int, ...]) -> Pixels:
    """Return a copy of what was handed over there."""
    return np.fromfile(slot, np.uint8, math.prod(shape)).reshape(shape)
