"""Images with their labels, as every data set is handed over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.catalog.datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """One data set in memory.

    `images` is uint8, `(n, height, width, channels)`, values 0 to 255, channels in RGB order (or one of
    grey, 255 = ink for handwriting); `labels` is uint8, `(n,)`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def digest(self) -> str:
        """SHA-256 of the images' bytes in C order followed by the labels': see `Dataset.digest`."""
        whole = hashlib.sha256(np.ascontiguousarray(self.images).data)
        whole.update(np.ascontiguousarray(self.labels).data)
        return whole.hexdigest()


def mismatch(images: Images, dataset: Dataset) -> str | None:
    """What keeps `images` from being `dataset`, in words; `None` when they are."""
    wanted = (dataset.count, dataset.height, dataset.width, dataset.channels)
    if images.images.shape != wanted:
        return f"it holds images of {images.images.shape}, not {wanted}"
    if images.digest != dataset.digest:
        return f"its digest is {images.digest[:12]}…, not {dataset.digest[:12]}…"
    return None
