"""Prepared data in a store: what is there, each object held against its manifest, and believed by nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from facegan import layout
from facegan.errors import DamagedError
from facegan.prepared.local import PassOver, folder_of, read_local, refuse
from facegan.prepared.manifest import LARGEST_MANIFEST, Finding, Manifest, Piece, from_bytes, header
from facegan.prepared.spelled import bring_line
from facegan.storage.base import NotFoundError, ObjectStore, TooLargeError

OTHER_DATA = "describes other data than its name says"


def list_stored(store: ObjectStore, name: str | None = None) -> Iterator[tuple[str, str]]:
    """Name and digest of all data in a store, or of that name; sorted. They need not be whole."""
    for set_name in [name] if name is not None else [*store.folders(layout.DATASETS)]:
        if layout.is_dataset(set_name):
            for digest in store.folders(layout.datasets(set_name)):
                if layout.is_digest(digest):
                    yield set_name, digest


def find_stored(store: ObjectStore, name: str | None = None, pass_over: PassOver = refuse) -> list[Manifest]:
    """The manifests of what is whole in a store, or of that name: a listing, and one request each.

    Raises:
        DamagedError: one is not what it should be, and is not to be passed over.
    """
    found = []
    for address in list_stored(store, name):
        try:
            found.append(read_stored(store, *address))
        except NotFoundError:
            continue  # its upload goes on, or was given up: without a manifest there is nothing
        except DamagedError as error:
            pass_over(*address, error)
    return found


def read_stored(store: ObjectStore, name: str, digest: str) -> Manifest:
    """The manifest of a data set in a store.

    Raises:
        NotFoundError: there is no such data set, or it was never uploaded to its end.
        DamagedError: it is no manifest of that data set.
    """
    key = layout.dataset_manifest(name, digest)
    called = f"{store.url.rstrip('/')}/{key}"
    try:
        return from_bytes(store.get(key, at_most=LARGEST_MANIFEST), called=called, name=name, digest=digest)
    except TooLargeError as error:
        raise DamagedError(f'"{called}" is no manifest of prepared data: {error.message}') from error


def read(home: Path, store: ObjectStore, name: str, digest: str) -> Manifest:
    """The manifest of a data set: from this machine, or else, or where it is damaged here, from a store.

    Raises:
        NotFoundError: it is in neither.
        DamagedError: it is damaged here and not in the store, or damaged there.
    """
    folder = folder_of(home, name, digest)
    if not folder.exists():
        return read_stored(store, name, digest)
    try:
        return read_local(folder)
    except DamagedError as damage:
        try:
            return read_stored(store, name, digest)
        except NotFoundError:
            raise damage from None


def verify_stored(store: ObjectStore, name: str, digest: str) -> list[Finding]:
    """Read a data set in a store whole, and hold it against its name. Empty: nothing is wrong.

    Raises:
        NotFoundError: there is no such data set, or it was never uploaded to its end.
        DamagedError: its manifest is none.
        UnreachableError: no answer, so nothing can be said.
    """
    manifest = read_stored(store, name, digest)
    whole = hashlib.sha256()
    wrong = []
    for number, (key, piece) in enumerate(objects(manifest)):
        try:
            data = get_whole(store, manifest, key, piece)
            require_start(store, manifest, data if number == 0 else None)
        except ObjectError as error:
            wrong.append(error.finding)
            continue
        whole.update(data)
    if not wrong and whole.hexdigest() != digest:
        wrong.append(Finding(object=layout.dataset_manifest(name, digest), how=OTHER_DATA))
    return wrong


class ObjectError(DamagedError):
    """An object of a data set is damaged: wrong on two downloads, or missing."""

    def __init__(self, store: ObjectStore, manifest: Manifest, finding: Finding) -> None:
        line = bring_line(manifest, store.url)
        hint = f"delete it there; then, on a machine with these data: {line} uploads it again"
        super().__init__(f'"{finding.object}" in {store.url} {finding.how}', hint=hint)
        self.finding = finding


def objects(manifest: Manifest) -> Iterator[tuple[str, Piece]]:
    """Those of a data set but its manifest, by their keys: the array in parts, and the table."""
    address = (manifest.name, manifest.digest)
    for number, piece in enumerate(manifest.images):
        yield layout.dataset_part(*address, number), piece
    yield layout.dataset_attributes(*address), manifest.attributes


def get_whole(store: ObjectStore, manifest: Manifest, key: str, piece: Piece) -> bytes:
    """One object, as the manifest says it is. A download may go wrong once; the object is wrong when two do.

    Raises:
        ObjectError: it is wrong, or missing.
    """
    how = ""
    for _ in range(2):
        try:
            data = store.get(key, at_most=piece.size)
        except NotFoundError:
            how = "is missing"
            continue
        except TooLargeError:
            how = f"has more than {piece.size:,} bytes"
            continue
        if Piece.of(data) == piece:
            return data
        sizes = f"has {len(data):,} bytes, not {piece.size:,}"
        how = sizes if len(data) != piece.size else "has another SHA-256"
    raise ObjectError(store, manifest, Finding(object=key, how=how))


def require_start(store: ObjectStore, manifest: Manifest, first: bytes | None) -> None:
    """Hold the first part of the array against the shape the manifest gives it.

    Raises:
        ObjectError: the manifest gives another one.
    """
    if first is not None and not first.startswith(header(manifest.count, *manifest.shape)):
        key = layout.dataset_manifest(manifest.name, manifest.digest)
        raise ObjectError(store, manifest, Finding(object=key, how="gives the images another shape than they have"))
