"""`attributes.csv`: one row an image, in the order of the images; its name, then whole numbers from 0 to 255."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.errors import DamagedError


def encode(columns: Sequence[str], rows: Iterable[tuple[str, Sequence[int]]]) -> bytes:
    """The table as bytes: the same for the same rows, wherever it is made."""
    return lines([("name", *columns)]) + lines((name, *values) for name, values in rows)


def lines(rows: Iterable[Sequence[str | int]]) -> bytes:
    """Some rows of a table as bytes, its head being one of them; tables are those of their parts, one after another."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read(path: Path, columns: Sequence[str], count: int) -> Mapping[str, NDArray[np.uint8]]:
    """The columns of a table of `count` rows, by name; each uint8, `(count,)`.

    Raises:
        DamagedError: it is no such table.
    """
    values = bytearray()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if next(rows, None) != ["name", *columns]:
                raise DamagedError(f'"{path}" does not begin with the columns {", ".join(["name", *columns])}')
            for _, *row in rows:
                values += bytes(map(int, row))  # refuses what is not from 0 to 255
        table = np.frombuffer(bytes(values), np.uint8).reshape(count, len(columns))
    except (ValueError, csv.Error) as error:
        raise DamagedError(f'"{path}" is no table of {count:,} rows of numbers from 0 to 255: {error}') from error
    return {name: np.ascontiguousarray(table[:, at]) for at, name in enumerate(columns)}
