"""What every set of pictures looks like before it is prepared: named items in an order, read one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One picture of a source.

    Attributes:
        name: What the source calls it; goes into `attributes.csv`.
        values: One whole number a column of the source, 0 to 255.
        at: Where it is; only the source that made the item understands it.

    """

    name: str
    values: tuple[int, ...]
    at: str


class Source(Protocol):
    """A set of pictures as a person downloads it; picklable, because every worker process reads for itself."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What is known of each picture, by name; the order of `Item.values`."""
        ...

    @property
    def items(self) -> Sequence[Item]:
        """Every picture, in the set's own order; the same order each time it is opened."""
        ...

    @property
    def skipped(self) -> Mapping[str, int]:
        """Why something of the set is no item (a row without an image, say) -> how often."""
        ...

    def picture(self, item: Item) -> bytes | NDArray[np.uint8]:
        """Return an encoded file of any picture format, or pixels of shape (h, w, c), uint8."""
        ...
