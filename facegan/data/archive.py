"""Folders, zip and tar archives as one thing: a list of files, each of which any process can read at once.

An archive is indexed once, by the process that opens it. What the index says of a file (`Entry.at`) is enough to
read it: the workers open the archive at that place, and hold no index. Nothing is ever unpacked under a name that
the archive chose, so an entry that points outside can do no harm; it is counted and left out all the same.

A `.tar.gz` allows no such reading. It is indexed in one pass, and unpacked once, as a plain `.tar`, into the folder of
the work that reads it (`Archive.unpacked`); the places in the index are those of the unpacked file.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from facegan.data import skipping
from facegan.data.skipping import Skip, count
from facegan.errors import BadInputError, FaceganError

LARGEST_FILE = 64 * 2**20  # bytes of one picture, unpacked
LARGEST_HEADER = 2**20  # bytes of one header of a tar archive
BOMB_BYTES = 2**30  # a packed archive may grow to so much whatever its size,
BOMB_RATIO = 100  # and above that to so many times its size
UNPACKED = "unpacked.tar"
READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
GZIP_MAGIC = b"\x1f\x8b"
OTHER_PACKINGS = (b"\xfd7zX", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")  # xz, bzip2, 7z, RAR, Zstandard
ENCODED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")  # a picture: JPEG … WebP, TIFF
LOCAL_HEADER = 30  # bytes before the name in a zip entry's own header
# What opening a damaged archive raises; `zipfile` raises NotImplementedError of what a later zip than it knows made.
DAMAGED = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, ValueError, NotImplementedError)


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
            beyond all measure (`BOMB_BYTES`, `BOMB_RATIO`).
    """
    if path.is_dir():
        return _listed(Folder(path), Folder(path).entries())
    if not path.is_file():
        raise BadInputError(f'there is no file or folder "{path}"')
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        archive = _kind(magic)(path)
        return _listed(archive, archive.entries())
    except PermissionError as error:
        raise BadInputError(f'"{path}" cannot be read: {error.strerror}') from error
    except DAMAGED as error:
        raise BadInputError(
            f'"{path}" is neither a folder nor a whole .zip, .tar or .tar.gz: {error}', hint=_remedy(path, magic)
        ) from error


def _remedy(path: Path, magic: bytes) -> str:
    if magic.startswith(OTHER_PACKINGS):
        return "unpack it, and give the folder"
    return f'give its folder: "{path.parent}"' if magic.startswith(ENCODED) else "fetch it again"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of files. A link to a file is taken for the file; a link to a folder is not followed."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file below, each as its size, its time of change and its path; or why something is none."""
        for root, folders, files in os.walk(self.path):
            folders.sort()
            inside = Path(root).relative_to(self.path).as_posix()
            before = "" if inside == "." else f"{inside}/"
            yield from (skipping.LINK for name in folders if Path(root, name).is_symlink())
            yield from (self.entry(f"{before}{name}") for name in sorted(files))

    def entry(self, name: str) -> Entry | str:
        """Find one file, by its path within the folder; or say why it is none."""
        try:
            found = os.stat(self._place(name))  # noqa: PTH116 - a Path for each of 200,000 files takes as long again
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


@dataclass(frozen=True, slots=True)
class Zip:
    """A zip archive, stored or deflated."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file, each as the place of its header, its packed and unpacked size, its packing and its CRC-32."""
        with zipfile.ZipFile(self.path) as archive:
            for found in archive.infolist():
                if found.filename.endswith(("/", "\\")):
                    continue
                sizes = f"{found.compress_size}:{found.file_size}"
                at = f"{found.header_offset}:{sizes}:{found.compress_type}:{found.CRC}"
                yield refused(found) or Entry(name=_path(found.filename), at=at)

    def read(self, at: str) -> bytes:
        offset, packed, size, method, checksum = map(int, at.split(":"))
        if size == 0:
            raise Skip(skipping.EMPTY)
        if max(size, packed) > LARGEST_FILE:
            raise Skip(skipping.TOO_LARGE)
        with self.path.open("rb") as file:
            file.seek(offset)
            header = file.read(LOCAL_HEADER)
            if len(header) < LOCAL_HEADER or not header.startswith(ZIP_MAGIC[0]):
                raise Skip(skipping.BROKEN)
            name_and_extra = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            file.seek(name_and_extra, os.SEEK_CUR)
            data = file.read(packed)
        if method == zipfile.ZIP_DEFLATED:
            data = _inflated(data, size)
        if len(data) != size or zlib.crc32(data) != checksum:
            raise Skip(skipping.BROKEN)
        return data

    def unpacked(self, _: Path) -> Zip:
        return self


@dataclass(frozen=True, slots=True)
class Tar:
    """A plain tar archive."""

    path: Path

    def entries(self) -> Iterator[Entry | str]:
        """Every file, each as its place, its size and the time in its header; or why an entry is none."""
        with self.path.open("rb") as file:
            end = yield from _members(file)
            file.seek(end)
            if not file.read(1):
                raise tarfile.ReadError(
                    "it lacks its end"
                )  # which shows a cut between two files, and nothing else does

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


def _everything(file: int, expected: int) -> bytes:
    """Read an open file to its end: in one call where it has as many bytes as is expected."""
    data = os.read(file, expected + 1)
    if len(data) == expected:
        return data
    pieces = [data]
    while piece := os.read(file, 2**20):
        pieces.append(piece)
    return b"".join(pieces)


def _kind(magic: bytes) -> type[Zip | Tar | PackedTar]:
    if magic in ZIP_MAGIC:
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


def _path(name: str) -> str:
    r"""Return the path that an archive's name stands for: `tar cf it.tar .` writes `./a/b`, and some zips have `a\b`.

    One that points outside still does.
    """
    first, *parts = name.replace("\\", "/").split("/")
    here = [] if first == "." else [first]  # an empty first one is an absolute name
    return "/".join([*here, *(part for part in parts if part not in {"", "."})])


def _unusable(name: str) -> str | None:
    """Return what is wrong with the name of an entry."""
    if not (name and name.isprintable()):
        return skipping.UNNAMEABLE
    path = name.replace("\\", "/")
    is_outside = path.startswith("/") or path[1:2] == ":" or ".." in path.split("/")
    return skipping.OUTSIDE if is_outside else None


def refused(found: zipfile.ZipInfo) -> str | None:
    """Return why an entry of a zip archive is no file to be read: no regular one, or encrypted, or oddly packed."""
    kind = stat.S_IFMT(found.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return skipping.LINK
    if kind not in {0, stat.S_IFREG}:
        return skipping.SPECIAL
    if found.flag_bits & 0x1:
        return skipping.ENCRYPTED
    if found.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return skipping.PACKING
    return None


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
                yield Entry(name=_path(found.name), at=f"{found.offset_data}:{found.size}:{int(found.mtime)}")
        return archive.offset


def _inflated(data: bytes, size: int) -> bytes:
    """Inflate to at most `size` bytes, whatever the data would grow to."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)
    except zlib.error as error:
        raise Skip(skipping.BROKEN) from error
