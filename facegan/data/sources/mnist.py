"""MNIST: 60,000 handwritten digits of 28x28, in Keras' `mnist.npz` or in two IDX files of its authors."""

from __future__ import annotations

import re
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.data import arrays, skipping
from facegan.data.archive import GZIP_MAGIC, LARGEST_FILE, Entry, Listing, open_archive
from facegan.data.arrays import Arrays, Packed
from facegan.errors import BadInputError

SHAPE = (28, 28, 1)
NPZ = "mnist.npz"
# As they were published, packed or not, and as an old program unpacked them.
IDX = {axes: re.compile(rf"train-{what}[-.]idx{axes}-ubyte(\.gz)?") for axes, what in ((3, "images"), (1, "labels"))}
UBYTE = b"\0\0\x08"  # of an IDX file; the fourth byte is the number of axes


def open_source(path: Path) -> Arrays:
    """The training split, in its own order.

    Args:
        path: `mnist.npz`, or a folder, zip or tar with it (a folder only) or with the two IDX files of the split.

    Raises:
        BadInputError: these are not there, or they are damaged.
    """
    if arrays.is_npz(path):
        return arrays.open_npz(path, SHAPE)
    if path.is_file() and any(name.fullmatch(path.name) for name in IDX.values()):
        raise BadInputError(f'"{path}" is one file of two', hint=f"give the folder with both: --source {path.parent}")
    if (path / NPZ).is_file():
        return arrays.open_npz(path / NPZ, SHAPE)
    return _from_idx(open_archive(path))


def _from_idx(listing: Listing) -> Arrays:
    images, labels = (_one(listing, axes) for axes in IDX)
    archive = listing.archive
    try:
        count = len(digits(arrays.whole(archive, images)))
        numbers = arrays.labels_of(_idx(arrays.whole(archive, labels), 1), count)
    except ValueError as error:
        raise BadInputError(
            f'the digits in "{archive.path}" cannot be used: {error}', hint="fetch them again"
        ) from error
    return Arrays(files=Packed(archive, digits), items=arrays.numbered([(images.at, numbers)]), skipped=listing.skipped)


def _one(listing: Listing, axes: int) -> Entry:
    """The file with so many axes; of two copies, the one nearer to the top."""
    found = [entry for entry in listing.entries if IDX[axes].fullmatch(entry.base)]
    if not found:
        what = "images" if axes == len(SHAPE) else "labels"
        raise BadInputError(
            f'"{listing.archive.path}" is not MNIST: it has neither {NPZ} nor train-{what}-idx{axes}-ubyte[.gz], '
            f"among {len(listing.entries):,} files",
            hint="facegan-job data prepare mnist, without --source, downloads it",
        )
    return min(found, key=lambda entry: (entry.name.count("/"), entry.name))


def digits(content: bytes) -> NDArray[np.uint8]:
    """Pixels (n, 28, 28, 1), uint8, 255 = ink, of an IDX file, packed with gzip or not.

    Raises:
        ValueError: it is not that, or is cut short.
    """
    pixels = _idx(content, len(SHAPE))[..., np.newaxis]
    if pixels.shape[1:] != SHAPE:
        raise ValueError(f"it holds images of {list(pixels.shape[1:])}, not {list(SHAPE)}")
    return pixels


def _idx(content: bytes, axes: int) -> NDArray[np.uint8]:
    """An IDX file of bytes: the kind, the size of each axis as a big-endian 32-bit number, the values."""
    if content.startswith(GZIP_MAGIC):
        content = _unpacked(content)
    header = 4 * (1 + axes)
    if len(content) < header or not content.startswith(UBYTE + bytes([axes])):
        raise ValueError(f"it is not an IDX file of {axes} axes")
    sizes = struct.unpack(f">{axes}I", content[4:header])
    if prod(sizes) != len(content) - header:
        raise ValueError(f"an IDX file of {list(sizes)} holds {len(content) - header:,} bytes")
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def _unpacked(content: bytes) -> bytes:
    """Unpack gzip, to no more than any file may have."""
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = stream.decompress(content, LARGEST_FILE)
    except zlib.error as error:
        raise ValueError(skipping.BROKEN) from error
    if not stream.eof:
        raise ValueError(skipping.TOO_LARGE if stream.unconsumed_tail else skipping.BROKEN)
    return unpacked
