"""Which prepared array fits an experiment, and which of its images are taken."""

from __future__ import annotations

from collections.abc import Sequence

from facegan import layout
from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Data
from facegan.prepared.manifest import Manifest
from facegan.setting import unknown
from facegan.storage.base import ObjectStore

MADE = ("quarter-turn", "edges", "negative")  # domains that are made of the images; any other is a column
LARGEST = 255


def fits(manifest: Manifest, data: Data) -> bool:
    """Whether an array of the data set is of the size and crop that an experiment asks for."""
    if manifest.crop != data.crop:
        return False
    if data.size is not None:
        return (manifest.height, manifest.width) == (data.size, data.size)
    known = datasets.DATASETS.get(data.name)
    return known is None or known.shape is None or known.shape == manifest.shape


def is_made_for(manifest: Manifest, data: Data) -> bool:
    """Whether an array is just what is made when nobody says more than an experiment does: all images of its set."""
    asked = (manifest.name, manifest.size, manifest.crop, manifest.limit, manifest.domains)
    return asked == (data.name, data.size, data.crop, None, None)


def is_unprepared(data: Data, store: ObjectStore) -> bool:
    """Whether no array of an experiment's data is in the store, so that a session has to prepare them if it can."""
    known = datasets.DATASETS.get(data.name)
    if known is not None and known.package is not None:
        return False
    return data.digest is None or next(store.list(layout.dataset_manifest(data.name, data.digest)), None) is None


def condition(only: str) -> tuple[str, int]:
    """Column and value of a condition like `label=0`.

    Raises:
        BadInputError: it is not of that form.
    """
    column, equals, text = only.partition("=")
    if not (equals and column and text.isascii() and text.isdigit() and int(text) <= LARGEST):
        raise BadInputError(
            f'data.only is a column and its value, from 0 to {LARGEST}, not "{only}"',
            hint="for example --set data.only=label=0",
        )
    return column, int(text)


def require_columns(data: Data, columns: Sequence[str]) -> None:
    """Refuse a choice by columns that the data do not have.

    Raises:
        BadInputError: no such column; the known ones are listed.
    """
    if data.only is not None and (wanted := condition(data.only)[0]) not in columns:
        error = unknown(f"column of {data.name}, in data.only", wanted, columns)
        raise BadInputError(error.message, hint=f"{error.hint}; --set data.only=none shows all images")
    if data.domains not in {*MADE, *columns}:
        raise unknown(f"domains of {data.name}", data.domains, [*MADE, *columns])
