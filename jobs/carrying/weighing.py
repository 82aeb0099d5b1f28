"""Whether a run's data are few enough to go along to a session on a copy, or to come back: asked before it begins."""

from __future__ import annotations

import math

from facegan import layout, prepared
from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.prepared.selection import is_made_for
from facegan.storage.base import ObjectStore
from jobs.carrying.packing import LARGEST


def require_light(store: ObjectStore, data: Data, *, prepares: bool) -> None:
    """Refuse data that no session could take along or, where it `prepares` them there, bring back.

    What is prepared is the whole set, whatever `data.limit` then shows of it.

    Raises:
        BadInputError: they are too large; says what to do.
    """
    size = _made(data) if prepares else _stored(store, data)
    if size > LARGEST:
        raise BadInputError(
            f'"{data.name}" has {size / (1 << 30):.1f} GiB of images as this experiment wants them, and '
            f"{LARGEST >> 30} GiB can be carried to a session that does not reach the store, or back",
            hint="put the run into a bucket: docs/storage.md",
        )


def _made(data: Data) -> int:
    """Bytes of the array that a session would make; 0 where it is not known how many images there will be."""
    known = datasets.DATASETS.get(data.name)
    count = (known.count or known.pictures or 0) if known is not None else 0
    side = data.size
    if known is None or (side is None and known.shape is None):
        return 0
    shape = (side, side, known.channels) if side is not None else known.shape or ()
    return count * math.prod(shape)


def _stored(store: ObjectStore, data: Data) -> int:
    """Bytes of the arrays that would go along."""
    if data.digest is not None:
        digests = [data.digest]
    else:
        digests = [found.digest for found in prepared.find_stored(store, data.name) if is_made_for(found, data)]
    return sum(sum(store.sizes(layout.dataset(data.name, digest)).values()) for digest in digests)
