"""What a session takes along that cannot reach the store, and the file in which objects travel, there and back.

Along go all entries of the ledger, the newest checkpoint that is whole, what the last holder has seen, and the array
of the run's data. Older checkpoints stay: none is restored while a newer one is whole.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from facegan import checkpoints, layout, prepared
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.ledger import Fold, Ledger, NoRunError
from facegan.prepared.selection import is_made_for
from facegan.storage.base import NotFoundError, ObjectStore
from jobs.carrying.spoilt import SpoiltError

LARGEST = 2 << 30  # bytes that are carried one way; they are held in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Luggage:
    """The run as a session on a copy of it is to find it: packed when it is really sent."""

    ledger: Ledger

    def packed(self) -> bytes:
        """One file of the run's objects.

        Raises:
            BadInputError: there is more than can be carried.
            DamagedError: the ledger is not whole.
        """
        return pack(dict(_objects(self.ledger)))


def listed(ledger: Ledger, data: Data) -> Mapping[str, int]:
    """The keys of what would go along if it were packed now, and how many bytes each has.

    Of a run that has not begun, that is the array that it would be trained on. Entries that are yet to be
    written are not among them.

    Raises:
        BadInputError: it is more than can be carried.
        DamagedError: the ledger is not whole.
    """
    try:
        keys = list(_keys(ledger, ledger.refresh()))
    except NoRunError:
        keys = list(_images(ledger.store, data))
    sizes: dict[str, int] = {}
    for folder in dict.fromkeys(f"{key.rpartition('/')[0]}/" for key in keys):
        sizes |= ledger.store.sizes(folder)
    found = {key: sizes[key] for key in keys if key in sizes}
    if sum(found.values()) > LARGEST:
        raise _too_much(ledger.run)
    return found


def _too_much(run: str) -> BadInputError:
    return BadInputError(
        f'run "{run}" has more than {LARGEST >> 30} GiB to take along to a session',
        hint="put it into a bucket: docs/storage.md; there, sessions fetch what they need",
    )


def _objects(ledger: Ledger) -> Iterator[tuple[str, bytes]]:
    fold, store, left = ledger.refresh(), ledger.store, LARGEST
    for key in _keys(ledger, fold):
        try:
            data = store.get(key)
        except NotFoundError:
            continue  # of a heartbeat, or of damage, which the session will find too
        left -= len(data)
        if left < 0:
            raise _too_much(ledger.run)
        yield key, data


def _keys(ledger: Ledger, fold: Fold) -> Iterator[str]:
    for entry in ledger.entries():
        yield layout.entry(ledger.run, entry.seq)
    if fold.lease is not None:
        yield layout.heartbeat(ledger.run, fold.lease.session)
    for seq, _ in reversed(fold.good):
        entry = ledger.linked(seq)
        yield from (entry.body["key"] + name for name in entry.body["objects"])
        if not checkpoints.read_whole(ledger.store, entry)[1]:
            break
    yield from _images(ledger.store, ledger.created().data)


def _images(store: ObjectStore, data: Data) -> Iterator[str]:
    """The arrays that the session may train on; none, where it prepares one, or has it in a package."""
    if data.digest is not None:
        digests = [data.digest]
    else:
        digests = [made.digest for made in prepared.find_stored(store, data.name) if is_made_for(made, data)]
    for digest in digests:
        yield from store.list(layout.dataset(data.name, digest))


def pack(objects: Mapping[str, bytes]) -> bytes:
    """Objects by key as one file. Equal objects give equal bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        for key, data in objects.items():
            packed.writestr(zipfile.ZipInfo(key), data)
    return file.getvalue()


def unpack(data: bytes) -> Mapping[str, bytes]:
    """The inverse of `pack`, for bytes that were packed by nobody knows whom.

    Raises:
        SpoiltError: they are no such file, or would become more than they are.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            names = packed.infolist()
            if any(each.compress_type != zipfile.ZIP_STORED for each in names):
                raise SpoiltError("what was packed at its place is not as this program packs")
            if sum(each.file_size for each in names) > len(data) or len({each.filename for each in names}) < len(names):
                raise SpoiltError("what was packed at its place is not as this program packs")
            return {each.filename: packed.read(each) for each in names}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise SpoiltError(f"what was packed at its place cannot be unpacked: {error}") from error
