"""A source whose pictures are encoded files in a folder or archive: all of them but the arrays of digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facegan.data.archive import Archive
from facegan.data.source import Item

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Files of an archive, named and in an order: a `facegan.data.source.Source`.

    `Item.at` is the archive's own `Entry.at`. A pickled copy reads pictures as this one does, but has no items: a
    worker process is sent those that it is to read, and need not hold the other 200,000.
    """

    archive: Archive
    columns: tuple[str, ...] = ()
    items: Sequence[Item]
    skipped: Mapping[str, int]

    def picture(self, item: Item) -> bytes:
        """Return the encoded file of an item.

        Raises:
            Skip: it is empty, too large, or damaged in its archive.
        """
        return self.archive.read(item.at)

    def unpacked(self, folder: Path) -> Pictures:
        """Return the same pictures where they can be read in any order; unpacked into `folder` if need be."""
        return replace(self, archive=self.archive.unpacked(folder))

    def __reduce__(self) -> tuple[object, ...]:
        return _reader, (self.archive, self.columns)


def is_picture(name: str) -> bool:
    """Whether a file is named like a picture: a known ending, or none at all."""
    return "." not in name.rpartition("/")[2] or has_ending(name)


def has_ending(name: str) -> bool:
    """Whether a file has the ending of a picture."""
    return name[name.rfind(".") :].lower() in SUFFIXES


def _reader(archive: Archive, columns: tuple[str, ...]) -> Pictures:
    return Pictures(archive=archive, columns=columns, items=(), skipped={})
