"""A folder, read as an archive is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facegan.data import skipping
from facegan.data.archive.entry import LARGEST_FILE, Entry, is_hidden
from facegan.data.skipping import Skip
from facegan.errors import BadInputError, printable

READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of files. A link to a file is taken for the file; a link to a folder is not followed."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file below, each as its size, its time of change and its path; or why something is none.

        Raises:
            BadInputError: a folder cannot be read. Left out, it would change the labels of the others; a hidden one,
                which systems keep for themselves on disks, has none, and is counted.
        """
        closed: list[OSError] = []
        for root, folders, files in os.walk(self.path, onerror=closed.append):
            yield from self._left_out(closed)
            folders.sort()
            inside = Path(root).relative_to(self.path).as_posix()
            before = "" if inside == "." else f"{inside}/"
            yield from (skipping.LINK for name in folders if _is_link(f"{root}/{name}"))
            yield from (self.entry(f"{before}{name}") for name in sorted(files))
        yield from self._left_out(closed)

    def _left_out(self, closed: list[OSError]) -> Iterator[str]:
        """Why the folders in the list, which empties, are left out."""
        while closed:
            error = closed.pop()
            inside = Path(error.filename).relative_to(self.path).as_posix()
            if inside == "." or not is_hidden(inside):
                raise _unreadable(error.filename, error) from error
            yield skipping.HIDDEN

    def entry(self, name: str) -> Entry | str:
        """Find one file, by its path within the folder; or say why it is none.

        Raises:
            BadInputError: the folder that it is in cannot be entered, though its names can be read.
        """
        place = self._place(name)
        try:
            found = os.stat(place)  # noqa: PTH116 - a Path for each of 200,000 files takes as long again
        except PermissionError as error:
            if _is_link(place):
                return skipping.UNREADABLE  # to where nobody may look
            raise _unreadable(Path(place).parent, error) from error
        except OSError:
            return skipping.UNREADABLE  # a link to nothing
        if not stat.S_ISREG(found.st_mode):
            return skipping.SPECIAL
        return Entry(name=name, at=f"{found.st_size}:{found.st_mtime_ns}:{name}")

    def read(self, at: str) -> bytes:
        size, _, name = at.split(":", 2)
        if int(size) > LARGEST_FILE:
            raise Skip(skipping.TOO_LARGE)
        try:
            file = os.open(self._place(name), READ_ONLY)  # no file object: it takes as long again as the reading
            try:
                return _everything(file, int(size))
            finally:
                os.close(file)
        except (FileNotFoundError, PermissionError) as error:
            raise Skip(skipping.UNREADABLE) from error

    def _place(self, name: str) -> str:
        return f"{self.path}/{name}"

    def unpacked(self, _: Path) -> Folder:
        return self


def _is_link(place: str) -> bool:
    return os.path.islink(place)  # noqa: PTH114 - `Path` raises an error in a folder that cannot be entered


def _unreadable(folder: str | Path, error: OSError) -> BadInputError:
    return BadInputError(
        f'the folder "{printable(str(folder))}" cannot be read: {error.strerror}',
        hint="make it readable with chmod -R u+rX, or give a folder without it: labels depend on every folder",
    )


def _everything(file: int, expected: int) -> bytes:
    """Read an open file to its end: in one call where it has as many bytes as is expected."""
    data = os.read(file, expected + 1)
    if len(data) == expected:
        return data
    pieces = [data]
    while piece := os.read(file, 2**20):
        pieces.append(piece)
    return b"".join(pieces)
