"""CIFAR-10: 50,000 pictures of 32x32 in ten classes, in whichever of its forms a person has it.

The python batches (`data_batch_1` … `5`, pickles of Python 2), the binary ones (`data_batch_1.bin` …), folders of
pictures named after the classes, or a NumPy archive with `x_train` and `y_train`. The first two and the last have
the same images in the same order and get the same names, so they make the same prepared set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data import arrays, skipping, unpickling
from facegan.data.archive import Entry, Listing, is_hidden, open_archive
from facegan.data.arrays import Arrays, Packed, Pixels
from facegan.data.pictures import Pictures, is_picture
from facegan.data.skipping import count
from facegan.data.source import Item, Source
from facegan.errors import BadInputError

SHAPE = (32, 32, 3)
PLANES = (3, 32, 32)  # as both batches store a picture: all its red, then its green, then its blue
BYTES = 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = 5

OTHER_SPLIT = "not of the training split"
NO_CLASS = "not in a folder named after a class"


def open_source(path: Path) -> Source:
    """The training split; the batches and the NumPy archive in their own order, pictures by class and name.

    Args:
        path: A folder, zip, tar or tar.gz in any of the forms above, or the NumPy archive.

    Raises:
        BadInputError: it is none of them, a batch is missing or damaged, or a pickle asks for more than data.
    """
    if arrays.is_npz(path):
        return arrays.open_npz(path, SHAPE)
    listing = open_archive(path)
    for form in FORMS:
        if found := _batches(listing, form.name):
            return _from_batches(listing, found, form)
    return _from_pictures(listing)


def python_batch(content: bytes) -> tuple[Pixels, list[int]]:
    """Pixels (n, 32, 32, 3) and labels of a python batch.

    Raises:
        BadInputError: it is a pickle of anything else.
        ValueError: it has no such images.
    """
    batch = unpickling.load(content, called="data_batch")
    data, labels = batch.get("data"), batch.get("labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != BYTES:  # noqa: PLR2004
        raise ValueError(f"it has no images of {BYTES:,} bytes under the name data")
    if not isinstance(labels, list | np.ndarray):
        raise ValueError("it has no labels")  # noqa: TRY004 - a fault of the file
    return _upright(data), arrays.labels_of(labels, len(data))


def binary_batch(content: bytes) -> tuple[Pixels, list[int]]:
    """Pixels (n, 32, 32, 3) and labels of a binary batch: records of a label and 3,072 values.

    Raises:
        ValueError: it is not a whole number of them.
    """
    if len(content) % (1 + BYTES):
        raise ValueError(f"it is not a whole number of records of {1 + BYTES:,} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + BYTES)
    return _upright(records[:, 1:]), arrays.labels_of(records[:, 0], len(records))


def python_pixels(content: bytes) -> Pixels:
    """The pixels of a python batch; see `python_batch`."""
    return python_batch(content)[0]


def binary_pixels(content: bytes) -> Pixels:
    """The pixels of a binary batch; see `binary_batch`."""
    return binary_batch(content)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form of batches: how its files are named, and what is read of them."""

    name: re.Pattern[str]
    batch: Callable[[bytes], tuple[Pixels, list[int]]]
    pixels: Callable[[bytes], Pixels]


FORMS = (
    Form(name=re.compile(r"data_batch_([1-5])"), batch=python_batch, pixels=python_pixels),
    Form(name=re.compile(r"data_batch_([1-5])\.bin"), batch=binary_batch, pixels=binary_pixels),
)


def _upright(planes: NDArray[Any]) -> Pixels:
    """From planes of colour to pixels (n, h, w, c), in one piece of memory."""
    return np.ascontiguousarray(planes.reshape(-1, *PLANES).transpose(0, 2, 3, 1))


def _batches(listing: Listing, pattern: re.Pattern[str]) -> list[Entry]:
    """The five batches in order, or none; of two copies, the one nearer to the top."""
    found: dict[str, Entry] = {}
    for entry in sorted(listing.entries, key=lambda entry: (-entry.name.count("/"), entry.name)):
        if named := pattern.fullmatch(entry.base):
            found[named[1]] = entry
    if found and len(found) < BATCHES:
        missing = ", ".join(str(number) for number in range(1, BATCHES + 1) if str(number) not in found)
        raise BadInputError(
            f'"{listing.archive.path}" is not the whole of CIFAR-10: of five batches, it lacks {missing}',
            hint="fetch it again",
        )
    return [found[number] for number in sorted(found)]


def _from_batches(listing: Listing, found: list[Entry], form: Form) -> Arrays:
    archive = listing.archive
    labelled = []
    for entry in found:
        try:
            labelled.append((entry.at, form.batch(arrays.whole(archive, entry))[1]))
        except (ValueError, BadInputError) as error:
            why = error.message if isinstance(error, BadInputError) else str(error)
            raise BadInputError(
                f'"{entry.name}" in "{archive.path}" cannot be used: {why}',
                hint="fetch it again, from https://www.cs.toronto.edu/~kriz/cifar.html",
            ) from error
    return Arrays(files=Packed(archive, form.pixels), items=arrays.numbered(labelled), skipped=listing.skipped)


def _from_pictures(listing: Listing) -> Pictures:
    skipped = dict(listing.skipped)
    pictures = [entry for entry in listing.entries if is_picture(entry.base) and not is_hidden(entry.name)]
    count(skipped, skipping.OTHER_FILE, len(listing.entries) - len(pictures))
    split = any("train" in _folders(entry) for entry in pictures)
    items = []
    for entry in pictures:
        *above, folder = _folders(entry) or ("",)
        if "test" in above or (split and "train" not in above):
            count(skipped, OTHER_SPLIT)
        elif folder not in CLASSES:
            count(skipped, NO_CLASS)
        else:
            items.append(Item(name=entry.name, values=(CLASSES.index(folder),), at=entry.at))
    if not items:
        raise BadInputError(
            f'"{listing.archive.path}" is not CIFAR-10: it has no data_batch_1 to 5, with or without .bin, and no '
            f"pictures in folders named after the classes ({', '.join(CLASSES)}), among "
            f"{len(listing.entries):,} files",
            hint="facegan-job data prepare cifar10, without --source, downloads it",
        )
    items.sort(key=lambda item: (item.values, item.name))
    return Pictures(archive=listing.archive, columns=("label",), items=tuple(items), skipped=skipped)


def _folders(entry: Entry) -> tuple[str, ...]:
    return tuple(entry.name.split("/")[:-1])
