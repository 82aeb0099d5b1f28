"""A store in a folder. Safe under many processes, durable against power loss.

An object is a file at its key. The crash argument of both writes:

1. the bytes go to a file of their own under `.incoming/`, which no listing shows, and are fsynced;
2. one system call gives them their name: `rename` for `put`; `link` for `put_new`, which fails when
   the name exists, so that of any number of racing processes one wins;
3. the folder is fsynced before the call returns, so that what was acknowledged survives power loss.

A process killed before 2 leaves a nameless file and nothing else; killed after 2, the object is there
whole. `O_EXCL` on the final name would show an empty object between its creation and its last byte.
"""

from __future__ import annotations

import contextlib
import errno
import os
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from facegan.errors import BadInputError, UnreachableError
from facegan.storage.base import LARGEST, NotFoundError, ObjectStore, RefusedError, TooLargeError, checked, in_order

INCOMING = ".incoming"
_PLAIN = "!$&'()+,;=@[]{}^~ -._"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}


class FileStore(ObjectStore):
    """Objects as files below a folder, which is made on the first write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()
        self._was_there = False

    @classmethod
    def open(cls, url: str) -> FileStore:
        parts = urllib.parse.urlsplit(url)
        path = Path(urllib.parse.unquote(parts.path))
        if os.name == "nt":  # file:///C:/store
            path = Path(urllib.parse.unquote(parts.path).lstrip("/"))
        if parts.netloc not in {"", "localhost"} or not path.is_absolute():
            raise BadInputError(f'"{url}" names no folder of this machine', hint="write file:///absolute/path")
        return cls(path)

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        with _errors_of(self.url, key):
            try:
                data = _read(self._path(key), key, at_most)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                self._answers()
                raise NotFoundError(f'no object "{key}" in {self.url}') from None
        self._was_there = True
        return data

    def put(self, key: str, data: bytes) -> None:
        with _errors_of(self.url, key), self._incoming(data) as written:
            _name(written, self._path(key), Path.replace)

    def put_new(self, key: str, data: bytes) -> bool:
        with _errors_of(self.url, key):
            final = self._path(key)
            if final.is_file():  # saves writing what is bound to lose; the link below is what decides
                return False
            with self._incoming(data) as written:
                try:
                    _name(written, final, _link_new)
                except FileExistsError:
                    if final.is_dir():
                        raise
                    return False
        return True

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        folder, _, _ = prefix.rpartition("/")
        with _errors_of(self.url, prefix):
            keys = [key for key in self._walk(folder) if key.startswith(prefix)]
        return iter(in_order(keys, after=after))

    def sizes(self, prefix: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for key in self.list(prefix):
            with _errors_of(self.url, key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[key] = self._path(key).stat().st_size  # unless it was deleted since it was listed
        return found

    def times(self, prefix: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for key in self.list(prefix):
            with _errors_of(self.url, key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found[key] = self._path(key).stat().st_mtime
        return found

    def folders(self, prefix: str) -> Iterator[str]:
        folder, _, start = prefix.rpartition("/")
        with _errors_of(self.url, prefix):
            names = [_decoded(found.name) for found in self._scan(folder) if found.is_dir()]
        return iter(sorted((name[len(start) :] for name in names if name.startswith(start)), key=str.encode))

    def delete(self, key: str) -> None:
        with _errors_of(self.url, key):
            final = self._path(key)
            if final.is_dir():
                return
            try:
                final.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
            _sync_folder(final.parent)
            for folder in final.parents:  # empty folders are no objects
                if folder == self.root:
                    break
                try:
                    folder.rmdir()
                except OSError:
                    break

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*(_encoded(part) for part in checked(key).split("/")))

    def _answers(self) -> None:
        """Tell "no such object" from "the disk is not there": a missing root says nothing.

        A store nobody has written to yet has no root either; its parent is there to say so. But a root
        that was there and is no more was not deleted by anybody here: stores only ever grow one.
        """
        if self.root.is_dir():
            self._was_there = True
        elif self._was_there or not self.root.parent.is_dir():
            raise UnreachableError(f'the folder "{self.root}" of {self.url} is not there')

    def _scan(self, folder: str) -> Sequence[os.DirEntry[str]]:
        path = self.root.joinpath(*(_encoded(part) for part in folder.split("/") if part))
        try:
            with os.scandir(path) as found:
                self._was_there = True
                return [item for item in found if item.name != INCOMING]
        except (FileNotFoundError, NotADirectoryError):
            self._answers()
            return []

    def _walk(self, folder: str) -> Iterator[str]:
        for item in self._scan(folder):
            key = f"{folder}/{_decoded(item.name)}" if folder else _decoded(item.name)
            if item.is_dir():
                yield from self._walk(key)
            else:
                yield key

    @contextlib.contextmanager
    def _incoming(self, data: bytes) -> Iterator[Path]:
        """The bytes in a durable file of their own, gone again unless it was renamed."""
        if self._was_there:
            self._answers()
        folder = self.root / INCOMING
        _make_folder(folder)
        self._was_there = True
        written = folder / uuid.uuid4().hex
        try:
            with written.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield written
        finally:
            written.unlink(missing_ok=True)


def _read(path: Path, key: str, at_most: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size > at_most:
            raise TooLargeError(key, at_most)
        return file.readall()


def _name(written: Path, final: Path, how: Callable[[Path, Path], object]) -> None:
    """Give a written file its final name, durably.

    A delete beside it may remove the folder as empty between its making and the naming: make it again.
    """
    while True:
        _make_folder(final.parent)
        try:
            how(written, final)
        except FileNotFoundError:
            if written.exists():
                continue
            raise
        _sync_folder(final.parent)
        return


def _link_new(written: Path, final: Path) -> None:
    """Give the file its final name, or fail with `FileExistsError` when the name is taken."""
    if os.name == "nt":
        written.rename(final)  # fails when the name exists, on Windows only
        return
    try:
        os.link(written, final)
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise RefusedError(
                f'the file system of "{final.parent}" has no hard links, so nothing can be created exactly once there',
                hint="choose a folder on another file system with --store file:///…",
            ) from error
        raise


def _make_folder(folder: Path, tries: int = 5) -> None:
    """Make the folder and its parents; each new name is made durable in the folder above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error
    except FileNotFoundError:  # the folder above was removed as empty meanwhile
        if tries == 0:
            raise
        _make_folder(folder, tries - 1)
        return
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _errors_of(url: str, key: str) -> Iterator[None]:
    """Say what the operating system said, in the port's words."""
    try:
        yield
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise RefusedError(f'"{key}" in {url} and another object cannot both be: one would be a folder') from error
    except PermissionError as error:
        raise RefusedError(f'no right to use "{key}" in {url}: {error.strerror}') from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise BadInputError(f'the key "{key}" is too long for a file of {url}') from error
        if error.errno in _FULL:
            raise UnreachableError(
                f"the disk of {url} is full", hint="free some space; nothing that was committed is lost"
            ) from error
        raise UnreachableError(f'{url} does not answer for "{key}": {error.strerror or error}') from error


def _encoded(part: str) -> str:
    """One part of a key as a file name: what some file system forbids is percent-encoded."""
    name = urllib.parse.quote(part, safe=_PLAIN)
    return name.replace(".", "%2E", 1) if name.startswith(".") else name


def _decoded(name: str) -> str:
    return urllib.parse.unquote(name)
