"""Folders, zip and tar archives as one thing: a list of files, each of which any process can read at once.

An archive is indexed once, by the process that opens it. What the index says of a file (`Entry.at`) is enough to
read it: the workers open the archive at that place, and hold no index. Nothing is ever unpacked under a name that
the archive chose, so an entry that points outside can do no harm; it is counted and left out all the same.

A `.tar.gz` allows no such reading. It is indexed in one pass, and unpacked once, as a plain `.tar`, into the folder of
the work that reads it (`Archive.unpacked`); the places in the index are those of the unpacked file.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from facegan.data import skipping
from facegan.data.archive import zips
from facegan.data.archive.entry import LARGEST_FILE, Archive, Entry, is_hidden
from facegan.data.archive.folder import Folder
from facegan.data.archive.tars import GZIP_MAGIC, PackedTar, Tar
from facegan.data.archive.zips import Zip, refused
from facegan.data.skipping import count
from facegan.errors import BadInputError

__all__ = [
    "DAMAGED",
    "GZIP_MAGIC",
    "LARGEST_FILE",
    "Archive",
    "Entry",
    "Folder",
    "Listing",
    "is_hidden",
    "open_archive",
    "refused",
]

OTHER_PACKINGS = (b"\xfd7zX", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")  # xz, bzip2, 7z, RAR, Zstandard
ENCODED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")  # a picture: JPEG … WebP, TIFF
# What opening a damaged archive raises; `zipfile` raises NotImplementedError of what a later zip than it knows made.
DAMAGED = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, ValueError, NotImplementedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """An archive with its files, in its own order, and the entries that are no files to be used, by reason."""

    archive: Archive
    entries: tuple[Entry, ...]
    skipped: Mapping[str, int]


def open_archive(path: Path) -> Listing:
    """List the files in a folder, or in a .zip, .tar or .tar.gz; recognised by content, not by name.

    Left out and counted: links, devices, absolute names, names with `..`, encrypted entries, an earlier entry of a
    name that comes again (as unpacking would overwrite it), names that are not printable text.

    Raises:
        BadInputError: there is no such file or folder, or it is none of these, or it is damaged, or it would grow
            beyond all measure (`BOMB_BYTES`, `BOMB_RATIO`), or a folder in it cannot be read.
    """
    try:
        if path.is_dir():
            return _listed(Folder(path), Folder(path).entries())
        if not path.is_file():
            raise BadInputError(f'there is no file or folder "{path}"')
        return _packed(path)
    except OSError as error:
        raise BadInputError(
            f'"{path}" cannot be read: {error.strerror}', hint="make it readable, or copy it"
        ) from error


def _packed(path: Path) -> Listing:
    with path.open("rb") as file:
        magic = file.read(4)
    try:
        archive = _kind(magic)(path)
        return _listed(archive, archive.entries())
    except PermissionError:  # it may be whole
        raise
    except DAMAGED as error:
        raise BadInputError(
            f'"{path}" is neither a folder nor a whole .zip, .tar or .tar.gz: {error}', hint=_remedy(path, magic)
        ) from error


def _remedy(path: Path, magic: bytes) -> str:
    if magic.startswith(OTHER_PACKINGS):
        return "unpack it, and give the folder"
    return f'give its folder: "{path.parent}"' if magic.startswith(ENCODED) else "fetch it again"


def _kind(magic: bytes) -> type[Zip | Tar | PackedTar]:
    if magic in zips.MAGIC:
        return Zip
    return PackedTar if magic.startswith(GZIP_MAGIC) else Tar


def _listed(archive: Archive, found: Iterable[Entry | str]) -> Listing:
    """Sort what was found into entries to be used and reasons why not; of two of one name the later one stays."""
    skipped: dict[str, int] = {}
    named: dict[str, Entry] = {}
    for entry in found:
        reason = entry if isinstance(entry, str) else _unusable(entry.name)
        if reason is None and isinstance(entry, Entry):
            count(skipped, skipping.TWICE, entry.name in named)
            named[entry.name] = entry
        elif reason is not None:
            count(skipped, reason)
    return Listing(archive=archive, entries=tuple(named.values()), skipped=skipped)


def _unusable(name: str) -> str | None:
    """Return what is wrong with the name of an entry."""
    if not (name and name.isprintable()):
        return skipping.UNNAMEABLE
    path = name.replace("\\", "/")
    is_outside = path.startswith("/") or path[1:2] == ":" or ".." in path.split("/")
    return skipping.OUTSIDE if is_outside else None
