"""How many images a training is shown: counted once, when its run is created, and written into its ledger."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from facegan import layout, prepared
from facegan.catalog import families
from facegan.catalog.datasets import DATASETS
from facegan.errors import BadInputError
from facegan.experiment import Data, Experiment
from facegan.prepared import selection
from facegan.storage.base import NotFoundError, ObjectStore

DIGITS, OF_EACH = 10, 500  # mnist-5k: so many of each digit, first all zeros; its digest is known, so it stays so

Row = Mapping[str, str]


def images(data: Data, home: Path, store: ObjectStore) -> int | None:
    """The images that `data.only` and `data.limit` leave, of all domains together; `data.digest` is settled.

    `None` where that cannot be told without more than the table of attributes. An array on this machine is
    asked before one in the store: a file, instead of one or two requests.
    """
    if not _is_settled(data):
        return None
    try:
        if data.only is not None:
            return sum(1 for _ in _chosen(data, home, store))
        known = DATASETS.get(data.name)
        packed = known is not None and known.package is not None
        counted = known.count if known is not None and packed else _manifest(data, home, store).count
    except NotFoundError:
        return None
    return counted if counted is None or data.limit is None else min(counted, data.limit)


def part(data: Data, home: Path, store: ObjectStore) -> str:
    """Which part of its set an array was prepared to be, in words; empty where it is the whole, or cannot be told."""
    known = DATASETS.get(data.name)
    if not _is_settled(data) or (known is not None and known.package is not None):
        return ""
    try:
        return _manifest(data, home, store).part
    except NotFoundError:
        return ""


def require_images(experiment: Experiment, counted: int | None, home: Path, store: ObjectStore) -> None:
    """Refuse an experiment that has nothing to show, or nothing in one of its domains. `counted` as from `images`.

    What cannot be told is left to the session.

    Raises:
        BadInputError: no image is left; says of what.
    """
    data = experiment.data
    if counted == 0:
        raise BadInputError(f'no image of "{data.name}" has {data.only}', hint="choose another value for data.only")
    if counted is None or families.find(experiment.model.family).domains == 1:
        return
    try:
        each = _domains(data, counted, home, store)
    except NotFoundError:
        return
    for letter, count in zip("ab", each, strict=True):
        if count == 0:
            raise BadInputError(
                f'domain {letter} of "{data.domains}" is empty: none of {counted:,} images belongs to it',
                hint="choose other images (data.only, data.limit) or other domains (data.domains)",
            )


def _domains(data: Data, counted: int, home: Path, store: ObjectStore) -> tuple[int, int]:
    """The images of each domain of coupled networks: halves, or those without the column and those with it."""
    if data.domains in selection.MADE:
        return counted // 2, counted // 2
    without = sum(row[data.domains] == "0" for row in _chosen(data, home, store))
    return without, counted - without


def _chosen(data: Data, home: Path, store: ObjectStore) -> Iterator[Row]:
    """The attributes of the images that `data.only` and `data.limit` leave."""
    rows = _rows(data, home, store)
    if data.only is not None:
        column, value = selection.condition(data.only)
        rows = (row for row in rows if row[column] == str(value))
    return itertools.islice(rows, data.limit)


def _rows(data: Data, home: Path, store: ObjectStore) -> Iterator[Row]:
    known = DATASETS.get(data.name)
    if known is not None and known.package is not None:
        return ({"label": str(digit)} for digit in range(DIGITS) for _ in range(OF_EACH))
    return _table(data, home, store)


def _is_settled(data: Data) -> bool:
    """Whether there is one array by now, and not only a session that is to make it."""
    known = DATASETS.get(data.name)
    return data.digest is not None or (known is not None and known.package is not None)


def _manifest(data: Data, home: Path, store: ObjectStore) -> prepared.Manifest:
    return prepared.read(home, store, data.name, str(data.digest))


def _table(data: Data, home: Path, store: ObjectStore) -> Iterator[Row]:
    digest = str(data.digest)
    path = prepared.folder_of(home, data.name, digest) / layout.ATTRIBUTES
    table = path.read_bytes() if path.exists() else store.get(layout.dataset_attributes(data.name, digest))
    return csv.DictReader(io.StringIO(table.decode(), newline=""))
