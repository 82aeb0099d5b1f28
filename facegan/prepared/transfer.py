"""Prepared data between a machine and a store: uploaded once, fetched once a machine."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from facegan import layout
from facegan.errors import DamagedError, FaceganError
from facegan.lock import alone
from facegan.prepared.local import folder_of, install, is_whole, read_local, require_room
from facegan.prepared.manifest import Finding, Manifest, Piece
from facegan.prepared.stored import OTHER_DATA, ObjectError, get_whole, objects, read_stored, require_start
from facegan.storage.base import ObjectStore

Say = Callable[[str], object]  # shows one line of progress, in the place of the one before


def upload(folder: Path, store: ObjectStore, say: Say) -> None:
    """Put a folder of prepared data into a store. Idempotent; repeated, it goes on where it was.

    The crash argument: every object's key says what its bytes are, because the digest does, and each is seen
    whole or not at all. So one that is listed with its size need not be sent again, whoever sent it, and two
    uploads at once write the same bytes; a plain put will do, which any store takes at this size. The manifest
    comes last, and only if there is none: killed before it, there are parts that nobody reads; after it,
    everything is there. An object that was damaged and deleted is sent again.

    Raises:
        DamagedError: a file is not what its manifest says; what is damaged is not sent.
    """
    manifest = read_local(folder)
    there = store.sizes(layout.dataset(manifest.name, manifest.digest))
    sent, whole = 0, manifest.size_bytes
    with (folder / layout.IMAGES).open("rb") as images, (folder / layout.ATTRIBUTES).open("rb") as attributes:
        for number, (key, piece) in enumerate(objects(manifest)):
            file = images if number < len(manifest.images) else attributes
            if there.get(key) == piece.size:
                file.seek(piece.size, os.SEEK_CUR)
            else:
                store.put(key, _read(file, piece))
                say(f"uploading {manifest.name}: {_of(sent + piece.size, whole)}")
            sent += piece.size
    store.put_new(layout.dataset_manifest(manifest.name, manifest.digest), manifest.to_bytes())


def fetch(store: ObjectStore, name: str, digest: str, home: Path, say: Say) -> Path:
    """Bring a data set from a store to this machine, unless it is here; its folder.

    One process of a machine does it, and others wait for it. Each part is checked as it comes, the whole at
    the end. Memory: one part. Repeated after a kill anywhere, it fetches what is not on the disk yet.

    Raises:
        NotFoundError: the store does not have it.
        DamagedError: an object is not what it should be, twice in a row; or the whole has another digest.
        FaceganError: there is no room on the disk.
        UnreachableError: no answer; what was fetched is kept.
    """
    final = folder_of(home, name, digest)
    if final.exists():
        return final
    with alone(final.parent / ".lock", lambda: say(f"another process is bringing {name} to this machine")):
        return final if final.exists() else _bring(store, read_stored(store, name, digest), home, say)


def mend(store: ObjectStore, name: str, digest: str, home: Path, say: Say) -> Path:
    """Bring what is damaged of a data set on this machine from a store; its folder.

    The crash argument: the damaged folder becomes unfinished work, by one rename, once the store is known to
    have the data. From then on it is a fetch like any other, which keeps the parts that are right; killed
    before or after, the next fetch goes on there.

    Raises:
        NotFoundError: the store does not have it; what is here is left as it is.
        DamagedError: the store's is damaged too.
        FaceganError: as of `fetch`.
    """
    final = folder_of(home, name, digest)
    with alone(final.parent / ".lock", lambda: say(f"another process is bringing {name} to this machine")):
        if is_whole(final):
            return final  # another process has mended it
        manifest = read_stored(store, name, digest)
        if final.exists():
            partial = _partial(final)
            shutil.rmtree(partial, ignore_errors=True)
            final.rename(partial)
        return _bring(store, manifest, home, say)


def _bring(store: ObjectStore, manifest: Manifest, home: Path, say: Say) -> Path:
    """Download what is missing, and give the folder its name. One process at a time."""
    name, digest = manifest.name, manifest.digest
    partial = _partial(folder_of(home, name, digest))
    try:
        partial.mkdir(exist_ok=True)
        require_room(manifest.size_bytes, partial)
        found = _download(store, manifest, partial, say)
    except OSError as error:
        raise FaceganError(f'"{partial}": {error.strerror or error}', hint="what was fetched is kept") from error
    if found != digest:
        shutil.rmtree(partial)  # every part was what the manifest says: it is the manifest that is wrong
        raise ObjectError(store, manifest, Finding(object=layout.dataset_manifest(name, digest), how=OTHER_DATA))
    return install(partial, manifest, home)


def _partial(final: Path) -> Path:
    return final.with_name(f".{final.name}")


def _download(store: ObjectStore, manifest: Manifest, partial: Path, say: Say) -> str:
    """Fill the two files, part by part; the digest of what is in them now.

    The crash argument: a part counts as there when the bytes at its place have its SHA-256. Cut short in
    the middle of a write, it has not, and is fetched again.
    """
    whole = hashlib.sha256()
    done = 0
    with _opened(partial / layout.IMAGES) as images, _opened(partial / layout.ATTRIBUTES) as attributes:
        for number, (key, piece) in enumerate(objects(manifest)):
            file = images if number < len(manifest.images) else attributes
            at = file.tell()
            data = file.read(piece.size)
            if Piece.of(data) != piece:
                data = get_whole(store, manifest, key, piece)
                require_start(store, manifest, data if number == 0 else None)
                file.seek(at)
                file.write(data)
            whole.update(data)
            done += piece.size
            say(f"fetching {manifest.name}: {_of(done, manifest.size_bytes)}")
        images.truncate()
        attributes.truncate()
    return whole.hexdigest()


def _opened(path: Path) -> BinaryIO:
    """The file as it was left, at its beginning; made if there is none."""
    path.touch()
    return path.open("r+b")


def _read(file: BinaryIO, piece: Piece) -> bytes:
    """The next part of a local file, which must be what its manifest says."""
    data = file.read(piece.size)
    if Piece.of(data) != piece:
        raise DamagedError(f'"{file.name}" is damaged, and was not uploaded', hint="facegan-job data verify")
    return data


def _of(done: int, whole: int) -> str:
    unit, name = (1e6, "MB") if whole >= 10**7 else (1e3, "kB")
    return f"{done / unit:,.0f} of {whole / unit:,.0f} {name}"
