"""The port to object storage: five verbs, one of them conditional.

All of the product's safety rests on `put_new`. Everything else may be repeated at will.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Protocol

from facegan.errors import BadInputError, FaceganError


class NotFoundError(FaceganError):
    """The storage answered, and there is no object at that key."""


class RefusedError(FaceganError):
    """The storage answered, and will not do it: no right, no such bucket, no conditional write."""


def checked(key: str) -> str:
    """The key itself, when it can be one. Every store checks every key, so that all refuse the same.

    Raises:
        BadInputError: it is empty or absolute, or a part of it is empty, `.` or `..`.
    """
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise BadInputError(f'"{key}" cannot be the key of an object')
    return key


class ObjectStore(Protocol):
    """Objects by key. Keys are `/`-separated texts without empty, `.` or `..` parts; `checked` says so.

    No key may be a folder of another: a store of files cannot hold both `a` and `a/b`.

    Every verb blocks until the storage has answered, and raises `UnreachableError` when it did not, in
    which case the effect may or may not have happened. An object is visible whole or not at all, and
    once a call has returned, every other reader sees its effect.
    """

    url: str

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            NotFoundError: there is no such object.
            UnreachableError: no answer.
        """

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing what was there. Idempotent."""

    @abstractmethod
    def put_new(self, key: str, data: bytes) -> bool:
        """Create the object if there is none: True. If there is one, change nothing: False.

        Of any number of racing callers exactly one is answered True. After an `UnreachableError` the
        caller may be that one without knowing it: read the object before concluding anything.
        """

    @abstractmethod
    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix` and sort after `after`, in byte order."""

    @abstractmethod
    def folders(self, prefix: str) -> Iterator[str]:
        """Names between `prefix` and the next `/`, each once, sorted: one level of the tree."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the object. No error if there is none."""
