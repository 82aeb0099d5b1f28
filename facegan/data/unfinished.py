"""Prepared data while they are being made: a hidden folder that only ever grows, and a record of how far it is right.

The crash argument. `images.npy` and `attributes.csv` are appended to, and brought to the disk, before `progress.json`
is replaced (written beside, synced, renamed) by one that counts the new bytes. Killed at any point, the record counts
bytes that are there; what lies behind them is cut off when the folder is opened again, and made again, the same.
When everything is there, the record says so before the first file moves out; from then on opening the folder moves
what has not moved yet, and makes nothing.
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from facegan.data import attributes
from facegan.data.rendering import Pixels
from facegan.data.skipping import Tally
from facegan.layout import ATTRIBUTES, IMAGES
from facegan.prepared import header

PREFIX = ".preparing-"
RECORD = "progress.json"
BUFFER_BYTES = 2**20  # an image is too little for a call of the system of its own
HEADER = bytes(len(header(1, 1, 1, 1)))  # the place of what can only be written when the images are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How far the folder is right.

    Attributes:
        rows: Images in the array, and rows in the table.
        shape: Height, width and channels of each; `None` before the first.
        table_bytes: Of `attributes.csv`, its head included.
        looked: How many items of each stream the rows and the tally account for.
        tally: What became of them.
        done: Nothing is to be added.

    """

    rows: int = 0
    shape: tuple[int, int, int] | None = None
    table_bytes: int
    looked: tuple[int, ...]
    tally: Tally = field(default_factory=Tally)
    done: bool = False

    @property
    def image_bytes(self) -> int:
        """Of `images.npy`, its head included."""
        height, width, channels = self.shape or (0, 0, 0)
        return len(HEADER) + self.rows * height * width * channels


class Unfinished:
    """The folder, opened where its record says. One process at a time: the caller sees to that."""

    def __init__(self, folder: Path, columns: Sequence[str], streams: int) -> None:
        self.folder = folder
        self._files = contextlib.ExitStack()
        folder.mkdir(parents=True, exist_ok=True)
        head = attributes.lines([("name", *columns)])
        self.record = _read(folder) or Record(table_bytes=len(head), looked=(0,) * streams)
        if not self.record.done:
            self._images = self._files.enter_context(_opened(folder / IMAGES, HEADER, self.record.image_bytes))
            self._table = self._files.enter_context(_opened(folder / ATTRIBUTES, head, self.record.table_bytes))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def append(self, images: Sequence[Pixels], rows: Sequence[tuple[str | int, ...]]) -> None:
        """Add images, all of one shape, and their rows. They do not count before the next `commit`."""
        for pixels in images:
            self._images.write(np.ascontiguousarray(pixels).data)
        self._table.write(attributes.lines(rows))

    def commit(self, record: Record) -> None:
        """Make everything that was appended count."""
        for file in (self._images, self._table):
            _sync(file)
        self.record = replace(record, table_bytes=self._table.tell())
        partial = self.folder / f"{RECORD}.new"
        with partial.open("wb") as file:
            file.write(json.dumps(asdict(self.record)).encode())
            _sync(file)
        partial.replace(self.folder / RECORD)

    def finish(self, record: Record) -> None:
        """Write the head of the array, and make everything count, for good."""
        assert record.shape is not None
        self._images.seek(0)
        self._images.write(header(record.rows, *record.shape))
        self.commit(replace(record, done=True))

    def move(self, into: Path) -> None:
        """Give the two files of a finished folder their place; repeated, it moves what is left."""
        for name in (IMAGES, ATTRIBUTES):
            if (self.folder / name).exists():
                (self.folder / name).replace(into / name)


def sweep(into: Path) -> None:
    """Remove all unfinished work in a folder that has got its data."""
    for folder in into.glob(f"{PREFIX}*"):
        shutil.rmtree(folder)


def _opened(path: Path, head: bytes, size: int) -> BinaryIO:
    """Open a file that begins with `head` for appending behind its first `size` bytes; the others are cut off."""
    if size == len(head):  # nothing counts yet: whatever is there is the beginning that a kill left
        path.write_bytes(head)
    file = path.open("r+b", buffering=BUFFER_BYTES)
    file.truncate(size)
    file.seek(size)
    return file


def _read(folder: Path) -> Record | None:
    """Return the record of the folder; `None` where nothing was made that counts, or somebody took it away."""
    try:
        found = json.loads((folder / RECORD).read_bytes())
        shape = found["shape"] and tuple(found["shape"])
        tally = Tally(**found["tally"])
        record = Record(**found | {"shape": shape, "looked": tuple(found["looked"]), "tally": tally})
        there = [(folder / name).stat().st_size for name in (IMAGES, ATTRIBUTES)] if not record.done else []
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return record if all(map(operator.le, (record.image_bytes, record.table_bytes), there)) else None


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
