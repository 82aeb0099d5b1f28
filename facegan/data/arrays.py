"""A source whose pictures are arrays of pixels, many in a file: digits and CIFAR-10's batches."""

from __future__ import annotations

import tokenize
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facegan.data import skipping
from facegan.data.archive import DAMAGED, Archive, Entry, refused
from facegan.data.skipping import Skip
from facegan.data.source import Item
from facegan.errors import BadInputError

Pixels: TypeAlias = NDArray[np.uint8]

CLASSES = 10  # of digits, and of CIFAR-10
# Of an archive; of an array that is not there, or says it is larger than memory; of a head that NumPy cannot parse.
UNREADABLE = (*DAMAGED, KeyError, MemoryError, SyntaxError, tokenize.TokenError)


class Files(Protocol):
    """Where arrays of pixels (n, h, w, c) are; picklable and hashable."""

    def read(self, at: str) -> Pixels:
        """Return the pixels of one file.

        Raises:
            Skip: they are damaged.
        """
        ...

    def unpacked(self, folder: Path) -> Files:
        """Return the same files where they can be read at random."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Packed:
    """Files of a folder or archive, each decoded by `decode`, a function of a module."""

    archive: Archive
    decode: Callable[[bytes], Pixels]

    def read(self, at: str) -> Pixels:
        try:
            return self.decode(self.archive.read(at))
        except (ValueError, BadInputError) as error:
            raise Skip(skipping.BROKEN) from error

    def unpacked(self, folder: Path) -> Packed:
        return replace(self, archive=self.archive.unpacked(folder))


@dataclass(frozen=True, slots=True)
class Npz:
    """The array `x_train` of one NumPy archive."""

    path: Path

    def read(self, _: str) -> Pixels:
        try:
            return _array(self.path, "x_train")
        except UNREADABLE as error:
            raise Skip(skipping.BROKEN) from error

    def unpacked(self, _: Path) -> Npz:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Pictures inside arrays: a `facegan.data.source.Source` with the one column `label`.

    `Item.at` is the place of a file and, after `#`, the picture's number in it. The file read last is kept, so
    reading in order reads each once a process. A pickled copy reads as this one does, but has no items.
    """

    files: Files
    items: Sequence[Item]
    skipped: Mapping[str, int]
    columns: tuple[str, ...] = ("label",)

    def picture(self, item: Item) -> Pixels:
        """Return pixels (h, w, c), uint8.

        Raises:
            Skip: the file is not what it was when it was opened.
        """
        at, _, number = item.at.rpartition("#")
        pixels = _kept(self.files, at)
        if int(number) >= len(pixels):
            raise Skip(skipping.BROKEN)
        return pixels[int(number)]

    def unpacked(self, folder: Path) -> Arrays:
        """Return the same pictures where they can be read in any order; unpacked into `folder` if need be."""
        return replace(self, files=self.files.unpacked(folder))

    def __reduce__(self) -> tuple[object, ...]:
        return _reader, (self.files,)


def _reader(files: Files) -> Arrays:
    return Arrays(files=files, items=(), skipped={})


@lru_cache(maxsize=1)
def _kept(files: Files, at: str) -> Pixels:
    return files.read(at)


def numbered(labelled: Iterable[tuple[str, Iterable[int]]]) -> tuple[Item, ...]:
    """The items of files given as (place, labels), named by their number in the whole set.

    So the same images have the same names, and with them the same digest, whatever form they came in.
    """
    places = ((f"{at}#{number}", label) for at, labels in labelled for number, label in enumerate(labels))
    return tuple(Item(name=f"{index:05d}", values=(label,), at=at) for index, (at, label) in enumerate(places))


def labels_of(found: NDArray[Any] | Sequence[int], count: int) -> list[int]:
    """The labels of `count` images as numbers 0 to 9.

    Raises:
        ValueError: they are not that.
    """
    labels = np.asarray(found)
    if labels.dtype.kind not in "iu" or labels.size != count or not ((labels >= 0) & (labels < CLASSES)).all():
        raise ValueError(f"it has no {count:,} labels from 0 to {CLASSES - 1}")
    return [int(label) for label in labels.ravel()]


def whole(archive: Archive, entry: Entry) -> bytes:
    """The bytes of a file without which there is no set.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        return archive.read(entry.at)
    except Skip as error:
        raise BadInputError(
            f'"{entry.name}" in "{archive.path}" cannot be used: {error.reason}', hint="fetch it again"
        ) from error


def is_npz(path: Path) -> bool:
    """Whether there is a file that is a NumPy archive of the kind that Keras publishes, as far as its index shows."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "x_train.npy" in archive.namelist()
    except DAMAGED:
        return False


def open_npz(path: Path, shape: tuple[int, int, int]) -> Arrays:
    """The training split of a NumPy archive: `x_train` (n, h, w) or (n, h, w, c), uint8, and `y_train`.

    Args:
        path: The file.
        shape: Height, width and channels that every image has to have.

    Raises:
        BadInputError: it is damaged, or not that; it is never unpickled.
    """
    try:
        pixels, labels = _array(path, "x_train"), _array(path, "y_train")
        if pixels.dtype != np.uint8 or pixels.shape[1:] != shape:
            raise ValueError(f"it holds {pixels.dtype}{list(pixels.shape)}, not uint8 images of {list(shape)}")
        numbers = labels_of(labels, len(pixels))
    except UNREADABLE as error:
        raise BadInputError(f'"{path}" cannot be used: {error}', hint="fetch it again") from error
    found = path.stat()
    return Arrays(files=Npz(path), items=numbered([(f"{found.st_size}:{found.st_mtime_ns}", numbers)]), skipped={})


def _array(path: Path, name: str) -> NDArray[Any]:
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
        if reason := refused(entry):  # before it is opened: what unpacks the other packings raises errors of its own
            raise ValueError(f'"{entry.filename}" is {reason}')
        with archive.open(entry) as file:
            found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return found[..., np.newaxis] if name == "x_train" and found.ndim == 3 else found  # noqa: PLR2004 - n, h, w
