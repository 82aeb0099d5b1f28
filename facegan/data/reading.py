"""From what an experiment says of its data to the images themselves, each byte of them checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan import prepared
from facegan.catalog import datasets
from facegan.data import attributes, making, mnist5k
from facegan.data.images import Images
from facegan.errors import BadInputError, DamagedError
from facegan.experiment import Data
from facegan.layout import ATTRIBUTES, IMAGES
from facegan.prepared.selection import condition
from facegan.prepared.spelled import bring_line
from facegan.setting import unknown
from facegan.storage.base import NotFoundError, ObjectStore


def load(data: Data, home: Path, store: ObjectStore | None, say: Callable[[str], object]) -> Images:
    """The images that an experiment chose: of this machine, else of the store, else of where they are published.

    `data.digest` says which array; where it is left open, the data set must have one that is known beforehand.
    What is here is read whole and held against the digest before it is used. Where it is damaged, and the store
    has it whole, what is damaged is fetched again.

    Raises:
        BadInputError: the data are nowhere to be had, or have no such column; says what was tried.
        DamagedError: they are not what they should be, and the store does not have them or they are damaged there.
        UnreachableError: the store did not answer.
    """
    known = datasets.DATASETS.get(data.name)
    if known is not None and known.package is not None:
        if data.digest not in {None, known.digest}:
            raise BadInputError(f'there is only one "{data.name}", and its digest is not "{data.digest}"')
        return _chosen(mnist5k.load(known), data)
    digest = data.digest or datasets.pinned(data)
    if digest is None:
        raise BadInputError(
            f'data.digest does not say which prepared "{data.name}" is meant', hint="facegan-job data list"
        )
    return _chosen(_read(_folder(data, digest, home, store, say)), data)


def _folder(data: Data, digest: str, home: Path, store: ObjectStore | None, say: Callable[[str], object]) -> Path:
    """Where the array is, once it is on this machine."""
    folder = prepared.folder_of(home, data.name, digest)
    if folder.exists():
        try:
            prepared.require_whole(folder)
        except DamagedError as damage:
            if store is None:
                raise
            say(f"{damage.message}; fetching it from {store.url}")
            try:
                prepared.mend(store, data.name, digest, home, say)
            except NotFoundError:
                raise damage from None
        return folder
    if store is not None:
        try:
            return prepared.fetch(store, data.name, digest, home, say)
        except NotFoundError:
            say(f"{data.name} {digest[:12]}… is not in {store.url}")
    line = bring_line(data, "URL" if store is None else store.url)
    known = datasets.DATASETS.get(data.name)
    if known is None or not known.downloads:
        raise BadInputError(
            f'prepared "{data.name}" {digest[:12]}… is neither on this machine nor in its run\'s store',
            hint=f"on a machine that has it: {line}",
        )
    made = making.make(making.options(data), None, home, say)
    if made.digest != digest:
        raise DamagedError(
            f'what was prepared of "{data.name}" is {made.digest[:12]}…, and the run wants {digest[:12]}…',
            hint=f"put that one into the store of the run: {line}",
        )
    return folder


def _read(folder: Path) -> Images:
    """A folder of prepared data that has been verified; the images stay on the disk until they are looked at."""
    manifest = prepared.read_local(folder)
    path = folder / IMAGES
    try:
        images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DamagedError(f'"{path}" cannot be read: {error}') from error
    if images.dtype != np.uint8 or images.shape != (manifest.count, *manifest.shape):
        raise DamagedError(f'"{path}" holds {images.dtype}{list(images.shape)}, not what its manifest says')
    return Images(
        images=np.asarray(images), columns=attributes.read(folder / ATTRIBUTES, manifest.columns, manifest.count)
    )


def _chosen(images: Images, data: Data) -> Images:
    """The rows for which `data.only` holds, and of those the first `data.limit`."""
    rows: slice | NDArray[np.intp] = slice(data.limit)
    if data.only is not None:
        column, value = condition(data.only)
        if column not in images.columns:
            raise unknown(f"column of {data.name}, in data.only", column, images.columns)
        rows = np.flatnonzero(images.columns[column] == value)[: data.limit]
        if not len(rows):
            raise BadInputError(f'no image of "{data.name}" has {data.only}')
    return Images(images=images.images[rows], columns={name: of[rows] for name, of in images.columns.items()})
