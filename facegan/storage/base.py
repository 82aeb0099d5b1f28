"""The port to object storage: a few verbs, one of them conditional.

All of the product's safety rests on `put_new`. Everything else may be repeated at will.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Protocol

from facegan.errors import BadInputError, FaceganError, SessionExit

LARGEST = 5 << 30  # bytes of one object: what a single request takes on S3, and the bound everywhere


class NotFoundError(FaceganError):
    """The storage answered, and there is no object at that key."""


class TooLargeError(FaceganError):
    """The storage answered, and the object has more bytes than the caller will take."""

    def __init__(self, key: str, at_most: int) -> None:
        super().__init__(f'"{key}" has more than {at_most:,} bytes')


class RefusedError(FaceganError):
    """The storage answered, and will not do it: no right, no such bucket, no conditional write."""


class ExpiredError(RefusedError):
    """The credentials were good for a time, and it is over: nothing is wrong with the run or the storage."""

    exit_code = SessionExit.INTERRUPTED


def checked(key: str) -> str:
    """The key itself, when it can be one. Every store checks every key, so that all refuse the same.

    Raises:
        BadInputError: it is empty or absolute, or a part of it is empty, `.` or `..`.
    """
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise BadInputError(f'"{key}" cannot be the key of an object')
    return key


def in_order(keys: Iterable[str], *, after: str = "") -> list[str]:
    """Those of the keys that sort after `after`, in byte order."""
    return sorted((key for key in keys if key.encode() > after.encode()), key=str.encode)


class ObjectStore(Protocol):
    """Objects by key. Keys are `/`-separated texts without empty, `.` or `..` parts; `checked` says so.

    No key may be a folder of another: a store of files cannot hold both `a` and `a/b`.

    Every verb blocks until the storage has answered, and raises `UnreachableError` when it did not, in
    which case the effect may or may not have happened. An object is visible whole or not at all, and
    once a call has returned, every other reader sees its effect.
    """

    url: str

    @abstractmethod
    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        """The object's bytes, of which never many more than `at_most` come into memory.

        Raises:
            NotFoundError: there is no such object.
            TooLargeError: it has more bytes than `at_most`.
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
    def sizes(self, prefix: str) -> dict[str, int]:
        """Keys that begin with `prefix`, in byte order, each with its object's bytes."""

    @abstractmethod
    def times(self, prefix: str) -> dict[str, float]:
        """Keys that begin with `prefix`, in byte order, each with when its object was last written.

        In Unix seconds by the storage's own clock, the one that no writer has: whole seconds on some storages.
        """

    @abstractmethod
    def folders(self, prefix: str) -> Iterator[str]:
        """Names between `prefix` and the next `/`, each once, sorted: one level of the tree."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove the object. No error if there is none."""
