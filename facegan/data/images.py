"""Images with what is known of each, as every data set is handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facegan.errors import BadInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images that an experiment chose, in the order of their data set.

    `images` is uint8, `(n, height, width, channels)`, values 0 to 255, channels in RGB order (or one of
    grey, 255 = ink for handwriting); it may be a file that is read as it is looked at, and cannot be written
    to. `columns` are uint8, `(n,)`, by their names.
    """

    images: NDArray[np.uint8]
    columns: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The column `label`: what each image shows, as a number.

        Raises:
            BadInputError: nobody has labelled these images.
        """
        if "label" not in self.columns:
            known = ", ".join(self.columns) or "none"
            raise BadInputError(f'these images have no column "label"; their columns: {known}')
        return self.columns["label"]
