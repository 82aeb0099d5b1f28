"""The image domains of an experiment: which of its images each shows, and as what.

A plain GAN has one domain, the images as they are. Coupled networks have two, by the name that
`data.domains` gives them. The first three share the images out, the first half to `a` and the second to
`b`, so that no image is in both; a last one without a partner is left out.

`quarter-turn`: b is turned by 90 degrees against the clock (Keras-GAN's cogan.py: `scipy.ndimage.rotate(x, 90,
axes=(1, 2))`). `edges`: b is the edges of its images, what a dilation with a 3x3 square adds (Liu &
Tuzel 2016, section 4, as in the authors' code). `negative`: b is 255 less each value (believed to be its task B).
Any other name is that of a column: a are the images that have 0 there, b the others (section 4, faces).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facegan.data.images import Images
from facegan.errors import BadInputError

Pixels: TypeAlias = NDArray[np.uint8]
"""Images, uint8 `(n, h, w, c)`."""

Look: TypeAlias = Callable[[Pixels], Pixels]
"""What images are shown as."""

CHUNK = 1_024  # images that are made ready at once, so that memory holds little more than the result


def plain(images: Pixels) -> Pixels:
    """Images as they are."""
    return images


def turned(images: Pixels) -> Pixels:
    """Square images, turned by 90 degrees against the clock."""
    return np.ascontiguousarray(np.rot90(images, axes=(1, 2)))


def upright(images: Pixels) -> Pixels:
    """Turned images, turned back."""
    return np.ascontiguousarray(np.rot90(images, -1, axes=(1, 2)))


def negative(images: Pixels) -> Pixels:
    """White for black, and back."""
    return np.uint8(255) - images


def edges(images: Pixels) -> Pixels:
    """What dilation with a 3x3 square adds: bright lines around bright shapes, beside their border."""
    rows = np.pad(images, ((0, 0), (1, 1), (0, 0), (0, 0)))
    widest = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    columns = np.pad(widest, ((0, 0), (0, 0), (1, 1), (0, 0)))
    dilated: Pixels = np.maximum(np.maximum(columns[:, :, :-2], columns[:, :, 1:-1]), columns[:, :, 2:])
    return dilated - images


LOOKS: Mapping[str, Look] = MappingProxyType({"quarter-turn": turned, "edges": edges, "negative": negative})
"""What the second domain shows of its images, where both domains are halves of one set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Some rows of a set of images, each shown as `look` makes it. Nothing is copied before it is shown."""

    images: Pixels
    rows: range | NDArray[np.int64]
    look: Look = field(default=plain)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """What all images of the domain take, in bytes."""
        return len(self) * int(np.prod(self.images.shape[1:]))

    def take(self, places: NDArray[Any]) -> Pixels:
        """The images at these places of the domain, uint8 `(len(places), h, w, c)`."""
        rows = self.rows.start + places if isinstance(self.rows, range) else self.rows[places]
        return self.look(self.images[rows])

    def whole(self) -> Pixels:
        """All images of the domain; a view where they are shown as they are, one after another."""
        if isinstance(self.rows, range) and self.look is plain:
            return self.images[self.rows.start : self.rows.stop]
        shown = np.empty((len(self), *self.images.shape[1:]), np.uint8)
        for start in range(0, len(self), CHUNK):
            places = np.arange(start, min(start + CHUNK, len(self)))
            shown[start : start + CHUNK] = self.take(places)
        return shown


def single(images: Images) -> tuple[Domain, ...]:
    """The one domain of a plain GAN."""
    return (Domain(images=images.images, rows=range(len(images.images))),)


def pair(images: Images, name: str) -> tuple[Domain, Domain]:
    """The two domains of that name.

    Two domains need not be of one length: each has shuffles of its own, and the shorter one comes round sooner.

    Raises:
        BadInputError: there is no such column, a domain would be empty, or images to be turned are not square.
    """
    pixels, half = images.images, len(images.images) // 2
    if name not in LOOKS:
        has = _column(images, name)
        first = Domain(images=pixels, rows=np.flatnonzero(has == 0))
        second = Domain(images=pixels, rows=np.flatnonzero(has))
    else:
        first = Domain(images=pixels, rows=range(half))
        second = Domain(images=pixels, rows=range(half, 2 * half), look=LOOKS[name])
    for letter, domain in zip("ab", (first, second), strict=True):
        if len(domain) == 0:
            raise BadInputError(
                f'domain {letter} of "{name}" is empty: none of {len(pixels):,} images belongs to it',
                hint="choose other images (data.only, data.limit) or other domains (data.domains)",
            )
    height, width, _ = images.shape
    if name == "quarter-turn" and height != width:
        raise BadInputError(
            f'images of {height}x{width} cannot be turned by a quarter, as data.domains is "{name}"',
            hint="--set data.size=64 makes square ones",
        )
    return first, second


def _column(images: Images, name: str) -> NDArray[np.uint8]:
    if name not in images.columns:
        known = ", ".join([*LOOKS, *images.columns])
        raise BadInputError(f'unknown domains "{name}"', hint=f"the known ones for these images: {known}")
    return images.columns[name]
