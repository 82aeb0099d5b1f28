"""Object storage, by URL.

Implementations are named by text and loaded when first used, so that no cloud SDK is imported by a
command that does not need it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from facegan.errors import BadInputError, FaceganError
from facegan.storage.base import ExpiredError, NotFoundError, ObjectStore, RefusedError

__all__ = ["SCHEMES", "ExpiredError", "NotFoundError", "ObjectStore", "RefusedError", "loaded", "open_store"]

SCHEMES = MappingProxyType(
    {
        "file": "facegan.storage.file:FileStore",
        "memory": "facegan.storage.memory:MemoryStore",
        "s3": "facegan.storage.s3:S3Store",
        "gs": "facegan.storage.gcs:GcsStore",
    }
)
_PASSWORD = re.compile(r"[a-z0-9+.-]*:(?://)?[^/?]*:[^?]*@", re.IGNORECASE)  # one with a "/" in it, too
EXTRAS = MappingProxyType({"s3": "aws", "gs": "gcp"})


def open_store(url: str) -> ObjectStore:
    """The store at this URL. Nothing is read or written yet.

    Raises:
        BadInputError: no such kind of store, or not a URL.
        FaceganError: what this kind of store needs is not installed.
    """
    if _PASSWORD.match(url):
        raise BadInputError(  # the URL is not repeated: it would put the password into a log
            "the URL of the store holds a user and a password",
            hint="leave them out: credentials come from the environment (docs/storage.md)",
        )
    scheme, found, _ = url.partition("://")
    if not found or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise BadInputError(f'"{url}" is not the URL of a store', hint=f"it begins with one of {known}")
    store: ObjectStore = loaded(scheme, SCHEMES).open(url)
    return store


def loaded(scheme: str, implementations: Mapping[str, str]) -> Any:  # noqa: ANN401 - a class of the caller's port
    """What these implementations name for this scheme, imported now.

    Raises:
        FaceganError: what this kind of store needs is not installed.
    """
    module, _, name = implementations[scheme].partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if scheme not in EXTRAS:
            raise
        raise FaceganError(
            f'{scheme}:// needs the module "{error.name}", which is not installed',
            hint=f"pip install 'facegan-job[{EXTRAS[scheme]}]'",
        ) from error
