"""Which prepared array fits an experiment, and which of its images are taken."""

from __future__ import annotations

from collections.abc import Sequence

from facegan.catalog import datasets
from facegan.errors import BadInputError
from facegan.experiment import Data, unknown
from facegan.prepared.manifest import Manifest

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
        raise unknown(f"column of {data.name}, in data.only", wanted, columns)
    if data.domains not in {*MADE, *columns}:
        raise unknown(f"domains of {data.name}", data.domains, [*MADE, *columns])
