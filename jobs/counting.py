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
from facegan.prepared import Manifest, selection
from facegan.storage.base import NotFoundError, ObjectStore

DIGITS = 10  # of mnist-5k, as many images of each, first all zeros; its digest is known, so it stays so

Row = Mapping[str, str]


def array(data: Data, home: Path, store: ObjectStore) -> Manifest | None:
    """What the array says of itself, on this machine (a file) or else in the store (a request).

    `None` where it comes inside a package, is still to be made, or is in neither.
    """
    if data.digest is None or _is_packed(data):
        return None
    try:
        return prepared.read(home, store, data.name, data.digest)
    except NotFoundError:
        return None


def images(data: Data, array: Manifest | None, home: Path, store: ObjectStore) -> int | None:
    """The images that `data.only` and `data.limit` leave, of all domains together. `array` as from `array`.

    `None` where that cannot be told without more than the table of attributes, which is looked for on this machine
    before it is asked for in the store.
    """
    if data.digest is None and not _is_packed(data):
        return None
    if data.only is not None:
        try:
            return sum(1 for _ in _chosen(data, home, store))
        except NotFoundError:
            return None
    whole = DATASETS[data.name] if _is_packed(data) else array
    counted = None if whole is None else whole.count
    return counted if counted is None or data.limit is None else min(counted, data.limit)


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
    if _is_packed(data):
        return ({"label": str(digit)} for digit in range(DIGITS) for _ in range(DATASETS[data.name].of_each or 0))
    return _table(data, home, store)


def _is_packed(data: Data) -> bool:
    """Whether the set comes inside a package, so that there is one array of it, and no manifest."""
    known = DATASETS.get(data.name)
    return known is not None and known.package is not None


def _table(data: Data, home: Path, store: ObjectStore) -> Iterator[Row]:
    digest = str(data.digest)
    path = prepared.folder_of(home, data.name, digest) / layout.ATTRIBUTES
    table = path.read_bytes() if path.exists() else store.get(layout.dataset_attributes(data.name, digest))
    return csv.DictReader(io.StringIO(table.decode(), newline=""))
