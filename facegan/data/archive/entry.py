"""What an archive is: files, each of which is read by itself, at its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LARGEST_FILE = 64 * 2**20  # bytes of one picture, unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One regular file of an archive.

    Attributes:
        name: Its path within the archive, with `/` between the parts and without `.` among them.
        at: Where it is, as its archive's `read` takes it. Other bytes there change it, as far as the index shows.

    """

    name: str
    at: str

    @property
    def base(self) -> str:
        """The name without its folders."""
        return self.name.rpartition("/")[2]


class Archive(Protocol):
    """Where files are; picklable, and without an open file."""

    @property
    def path(self) -> Path: ...

    def read(self, at: str) -> bytes:
        """Return the bytes of one file.

        Raises:
            Skip: it is empty, too large, damaged, or not to be read.
        """
        ...

    def unpacked(self, folder: Path, /) -> Archive:
        """Return the same files where they can be read at random; made in `folder` if need be."""
        ...


def is_hidden(name: str) -> bool:
    """Return whether a file is one that a file manager left there (`.DS_Store`, `__MACOSX/`), or hides."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def path_of(name: str) -> str:
    r"""Return the path that an archive's name stands for: `tar cf it.tar .` writes `./a/b`, and some zips have `a\b`.

    One that points outside still does.
    """
    first, *parts = name.replace("\\", "/").split("/")
    here = [] if first == "." else [first]  # an empty first one is an absolute name
    return "/".join([*here, *(part for part in parts if part not in {"", "."})])
