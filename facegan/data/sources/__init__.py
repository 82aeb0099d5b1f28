"""One module a kind of data set: from what a person downloads to a `facegan.data.source.Source`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from facegan.data.source import Source

# By module name, so that opening one loads only what that one needs.
READERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "celeba": "facegan.data.sources.celeba",
        "cifar10": "facegan.data.sources.cifar10",
        "imdb-wiki": "facegan.data.sources.imdb_wiki",
        "mnist": "facegan.data.sources.mnist",
    }
)
OTHERS = "facegan.data.sources.folder"


def open_source(name: str, path: Path) -> Source:
    """Open the data set `name` as it was downloaded to `path`; a name that is no known set is one's own pictures.

    Raises:
        BadInputError: it is not that; says what was looked for and what was found.
    """
    open_it: Callable[[Path], Source] = importlib.import_module(READERS.get(name, OTHERS)).open_source
    return open_it(path)
