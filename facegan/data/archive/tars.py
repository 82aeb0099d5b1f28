"""Tar archives, plain and in gzip, within bounds of what they may grow to."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from facegan.data import skipping
from facegan.data.archive.entry import LARGEST_FILE, Entry, path_of
from facegan.data.skipping import Skip
from facegan.errors import BadInputError, FaceganError

GZIP_MAGIC = b"\x1f\x8b"
LARGEST_HEADER = 2**20  # bytes of one header of a tar archive
BOMB_BYTES = 2**30  # a packed archive may grow to so much whatever its size,
BOMB_RATIO = 100  # and above that to so many times its size
UNPACKED = "unpacked.tar"


@dataclass(frozen=True, slots=True)
class Tar:
    """A plain tar archive."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file, each as its place, its size and the time in its header; or why an entry is none."""
        with self.path.open("rb") as file:
            end = yield from _members(file)
            file.seek(end)
            if not file.read(1):  # which shows a cut between two files, and nothing else does
                raise tarfile.ReadError("it lacks its end")

    def read(self, at: str) -> bytes:
        offset, size, _ = map(int, at.split(":"))
        if size > LARGEST_FILE:
            raise Skip(skipping.TOO_LARGE)
        with self.path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise Skip(skipping.BROKEN)
        return data

    def unpacked(self, _: Path) -> Tar:
        return self


@dataclass(frozen=True, slots=True)
class PackedTar:
    """A tar archive in gzip: to be read in one pass only, or after unpacking."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file, at its place in the unpacked archive; or why an entry is none."""
        with gzip.open(self.path) as file:
            yield from _members(_Bounded(file, self.path))
            while file.read(LARGEST_HEADER):  # to the end, so that the checksum is compared
                pass

    def read(self, at: str) -> bytes:
        """Return one file, by reading all that is before it."""
        offset, size, _ = map(int, at.split(":"))
        if size > LARGEST_FILE:
            raise Skip(skipping.TOO_LARGE)
        with gzip.open(self.path) as file:
            file.seek(offset)
            return file.read(size)

    def unpacked(self, folder: Path) -> Tar:
        """Return the plain tar archive in `folder`, made if it is not there.

        The crash argument: it gets its name when it is whole and on the disk. Killed before that, it is made again.

        Raises:
            FaceganError: there is no room for it.
        """
        final = folder / UNPACKED
        if not final.exists():
            partial = final.with_suffix(".partial")
            with gzip.open(self.path) as packed, partial.open("wb") as file:
                try:
                    shutil.copyfileobj(packed, file, 2**20)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError as error:
                    raise FaceganError(
                        f'"{self.path}" cannot be unpacked into "{folder}": {error.strerror or error}',
                        hint="free some space, and repeat the command",
                    ) from error
            partial.replace(final)
        return Tar(final)


class _Bounded:
    """What `tarfile` reads a packed archive through: nothing grows beyond measure, neither a header nor the whole."""

    def __init__(self, file: gzip.GzipFile, path: Path) -> None:
        self._file = file
        self._path = path
        self._most = max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size)

    def read(self, size: int) -> bytes:
        if size > LARGEST_HEADER:
            raise BadInputError(f'"{self._path}" has a header of {size:,} bytes: not an archive of pictures')
        return self._file.read(size)

    def seek(self, offset: int) -> int:
        if offset > self._most:
            raise BadInputError(f'"{self._path}" would grow to more than {self._most:,} bytes: not a set of pictures')
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


def _members(file: IO[bytes] | _Bounded) -> Generator[Entry | str, None, int]:
    """Walk over a tar archive, which is only read, sought and told the place of; holds one header at a time.

    Returns where it ends.
    """
    with tarfile.open(fileobj=cast("IO[bytes]", file), mode="r:") as archive:
        while (found := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined] # or it would keep them all
            if found.isdir():
                continue
            if found.issym() or found.islnk():
                yield skipping.LINK
            elif not found.isreg() or found.issparse():
                yield skipping.SPECIAL
            else:
                yield Entry(name=path_of(found.name), at=f"{found.offset_data}:{found.size}:{int(found.mtime)}")
        return archive.offset
