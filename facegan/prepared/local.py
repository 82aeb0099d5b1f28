"""Prepared data on this machine: a folder is there whole, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn, TypeAlias

from facegan import layout
from facegan.errors import DamagedError, FaceganError
from facegan.experiment import Data
from facegan.prepared.manifest import HEADER_BYTES, PART_BYTES, Finding, Manifest, Piece, from_bytes, header
from facegan.prepared.spelled import prepare_line

MARGIN_BYTES = 100 * 10**6  # of the disk, left free for others

PassOver: TypeAlias = Callable[[str, str, DamagedError], object]
"""Is told the name and the digest of what is damaged, and how; if it returns, the others are looked at."""


def refuse(_name: str, _digest: str, error: DamagedError) -> NoReturn:
    """Pass over nothing."""
    raise error


def folder_of(home: Path, name: str, digest: str) -> Path:
    """Where a prepared data set lies on this machine, or would lie."""
    return home / "data" / layout.check_dataset(name) / layout.check_digest(digest)


def list_local(home: Path, name: str | None = None) -> Iterator[tuple[str, str]]:
    """Name and digest of everything prepared on this machine, or of that name; sorted, and not checked."""
    for set_name in [name] if name is not None else _folders(home / "data"):
        if layout.is_dataset(set_name):
            for digest in _folders(home / "data" / set_name):
                if layout.is_digest(digest):  # others are being made, and begin with a dot
                    yield set_name, digest


def list_unfinished(home: Path, name: str | None = None) -> Iterator[tuple[str, Path, int]]:
    """Name, folder and bytes of what is being made or fetched on this machine, or was when its process died; sorted."""
    for set_name in [name] if name is not None else _folders(home / "data"):
        for found in _folders(home / "data" / set_name):
            if found.startswith("."):
                folder = home / "data" / set_name / found
                yield set_name, folder, _size(folder)


def find_local(home: Path, name: str | None = None, pass_over: PassOver = refuse) -> list[Manifest]:
    """The manifests of what is prepared on this machine, or of that name.

    Raises:
        DamagedError: one is not what it should be, and is not to be passed over.
    """
    found = []
    for address in list_local(home, name):
        try:
            found.append(read_local(folder_of(home, *address)))
        except DamagedError as error:
            pass_over(*address, error)
    return found


def read_local(folder: Path) -> Manifest:
    """The manifest in a folder of prepared data. The other files are not looked at.

    Raises:
        DamagedError: it is not there, or no manifest of what the folder's name says.
    """
    path = folder / layout.MANIFEST
    try:
        data = path.read_bytes()
        return from_bytes(data, called=str(path), name=folder.parent.name, digest=folder.name)
    except FileNotFoundError as error:
        raise DamagedError(f'there is no "{path}"', hint=_remedy(folder)) from error
    except DamagedError as error:
        raise DamagedError(error.message, hint=_remedy(folder)) from error


def verify(folder: Path) -> list[Finding]:
    """Read a folder of prepared data whole, and hold it against its name. Empty: nothing is wrong.

    Raises:
        DamagedError: there is no manifest to hold it against.
    """
    manifest = read_local(folder)
    images, attributes = folder / layout.IMAGES, folder / layout.ATTRIBUTES
    missing = [path for path in (images, attributes) if not path.is_file()]
    if missing:
        return [Finding(object=str(path), how="is missing") for path in missing]
    with images.open("rb") as file:
        starts_right = file.read(HEADER_BYTES) == header(manifest.count, *manifest.shape)
    if starts_right and digest_of(images, attributes) == manifest.digest:
        return []
    return list(_wrong(manifest, images, attributes)) or [
        Finding(object=str(folder / layout.MANIFEST), how="says other than the files beside it")
    ]


def require_whole(folder: Path) -> Manifest:
    """The manifest of a folder that has been read whole and is what it should be.

    Raises:
        DamagedError: it is not; names the first thing that is wrong.
    """
    found = verify(folder)
    if found:
        raise DamagedError(f'"{found[0].object}" {found[0].how}', hint=_remedy(folder, read_local(folder)))
    return read_local(folder)


def is_whole(folder: Path) -> bool:
    """Whether a folder of prepared data, read whole, is what it should be."""
    try:
        return not verify(folder)
    except DamagedError:
        return False


def digest_of(images: Path, attributes: Path) -> str:
    """SHA-256 of the bytes of one file followed by those of the other."""
    whole = hashlib.sha256()
    for path in (images, attributes):
        with path.open("rb") as file:
            while data := file.read(PART_BYTES):
                whole.update(data)
    return whole.hexdigest()


def describe(images: Path, attributes: Path) -> tuple[str, tuple[Piece, ...], Piece]:
    """Digest, parts and table of two files, as a manifest says them: one reading, one part in memory, two cores."""
    whole = hashlib.sha256()
    parts = []
    with images.open("rb") as file:
        while data := file.read(PART_BYTES):
            beside = threading.Thread(target=whole.update, args=(data,))  # hashlib lets go of the interpreter
            beside.start()
            parts.append(Piece.of(data))
            beside.join()
    table = attributes.read_bytes()
    whole.update(table)
    return whole.hexdigest(), tuple(parts), Piece.of(table)


def install(partial: Path, manifest: Manifest, home: Path) -> Path:
    """Make a folder with `images.npy` and `attributes.csv` the place of that data set; that place.

    The crash argument: both files and the manifest are on the disk, and so are their names in the partial
    folder, before the one rename that makes them visible. Killed before it, there is a partial folder,
    which no reader looks at; after it, everything is there. When another process was first, what it put
    there has the same digest, and stays, unless it is damaged: then it is removed, and killed before the
    rename there is the partial folder, which the same command takes up again.

    Raises:
        DamagedError: no reader would take this manifest.
    """
    final = folder_of(home, manifest.name, manifest.digest)
    said = manifest.to_bytes()
    from_bytes(said, called=str(partial / layout.MANIFEST), name=manifest.name, digest=manifest.digest)
    (partial / layout.MANIFEST).write_bytes(said)
    for name in (layout.IMAGES, layout.ATTRIBUTES, layout.MANIFEST):
        _sync(partial / name)
    _sync(partial)
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists() and not is_whole(final):
        shutil.rmtree(final)
    if not final.exists():
        partial.rename(final)
        _sync(final.parent)
    return final


def require_room(size_bytes: int, partial: Path) -> None:
    """Refuse to begin what the disk cannot hold. What is in the folder already counts as a part of it.

    Raises:
        FaceganError: there is too little room; says how much is needed, and how much is free.
    """
    wanted, free = size_bytes - _size(partial) + MARGIN_BYTES, shutil.disk_usage(partial).free
    if wanted > free:
        raise FaceganError(
            f'the data need {wanted / 1e6:,.0f} MB in "{partial.parent}", and {free / 1e6:,.0f} MB are free',
            hint="free some space, or set FACEGAN_HOME to a folder on another disk",
        )


def _wrong(manifest: Manifest, images: Path, attributes: Path) -> Iterator[Finding]:
    """What is wrong with files whose digest is not theirs, by the ranges that the manifest knows."""
    wanted = sum(piece.size for piece in manifest.images)
    if images.stat().st_size != wanted:
        yield Finding(object=str(images), how=f"has {images.stat().st_size:,} bytes, not {wanted:,}")
    else:
        with images.open("rb") as file:
            for number, piece in enumerate(manifest.images):
                if Piece.of(file.read(piece.size)) != piece:
                    at = number * PART_BYTES
                    yield Finding(object=str(images), how=f"is damaged in bytes {at:,} to {at + piece.size - 1:,}")
    if Piece.of(attributes.read_bytes()) != manifest.attributes:
        yield Finding(object=str(attributes), how="has another SHA-256")


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; of one that goes meanwhile, nothing."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def _folders(path: Path) -> list[str]:
    try:
        return sorted(found.name for found in path.iterdir() if found.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remedy(folder: Path, manifest: Manifest | None = None) -> str:
    """What to type; without a manifest that can be read, nobody knows how it was prepared."""
    unknown = f"{prepare_line(Data(name=folder.parent.name))} and the --size and --crop it had"
    line = unknown if manifest is None else prepare_line(manifest)
    return f"a session fetches it again from a store that has it; or make it again: {line}"
