"""Stores that die, or fall silent, at a chosen operation."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from facegan.errors import UnreachableError
from facegan.storage.base import LARGEST, ObjectStore
from facegan.storage.file import INCOMING, FileStore

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. Not an `Exception`: nothing a session does may hold it up."""


class Death(Enum):
    """When the process dies, seen from the operation it dies at."""

    BEFORE = "before"
    TORN = "torn"
    AFTER = "after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One logical operation of a store; `number` counts from 0."""

    number: int
    verb: str
    key: str

    def __str__(self) -> str:
        return f"{self.number} {self.verb} {self.key}"


class WatchedStore(ObjectStore):
    """Passes every operation on to another store, through `_do`; `operations` is what was asked."""

    def __init__(self, store: ObjectStore) -> None:
        self.url = store.url
        self.store = store
        self.operations: list[Operation] = []
        self._counting = threading.Lock()

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        return self._do("get", key, lambda: self.store.get(key, at_most=at_most), _nothing)

    def put(self, key: str, data: bytes) -> None:
        self._do("put", key, lambda: self.store.put(key, data), lambda: tear_write(self.store, data))

    def put_new(self, key: str, data: bytes) -> bool:
        return self._do("put_new", key, lambda: self.store.put_new(key, data), lambda: tear_write(self.store, data))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return self._do("list", prefix, lambda: self.store.list(prefix, after=after), _nothing)

    def sizes(self, prefix: str) -> dict[str, int]:
        return self._do("sizes", prefix, lambda: self.store.sizes(prefix), _nothing)

    def times(self, prefix: str) -> dict[str, float]:
        return self._do("times", prefix, lambda: self.store.times(prefix), _nothing)

    def folders(self, prefix: str) -> Iterator[str]:
        return self._do("folders", prefix, lambda: self.store.folders(prefix), _nothing)

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self.store.delete(key), lambda: tear_delete(self.store, key))

    def _do(self, verb: str, key: str, act: Callable[[], T], tear: Callable[[], None]) -> T:
        del tear
        self._count(verb, key)
        return act()

    def _count(self, verb: str, key: str) -> Operation:
        with self._counting:
            operation = Operation(number=len(self.operations), verb=verb, key=key)
            self.operations.append(operation)
        return operation


class MortalStore(WatchedStore):
    """The store of a process that dies at operation `at`. The dead ask nothing more."""

    def __init__(self, store: ObjectStore, at: int, death: Death) -> None:
        super().__init__(store)
        self.dead = False
        self._at = at
        self._death = death

    def _do(self, verb: str, key: str, act: Callable[[], T], tear: Callable[[], None]) -> T:
        if self.dead:
            raise Killed
        operation = self._count(verb, key)
        if operation.number < self._at:
            return act()
        if operation.number == self._at:
            self.dead = True
            if self._death is Death.TORN:
                tear()
            if self._death is Death.AFTER:
                act()
        raise Killed(str(operation))


class SilentStore(WatchedStore):
    """A store that does not answer while `is_down` says so. With `acts`, it does what was asked all the same."""

    def __init__(self, store: ObjectStore, is_down: Callable[[Operation], bool], *, acts: bool = False) -> None:
        super().__init__(store)
        self._is_down = is_down
        self._acts = acts

    def _do(self, verb: str, key: str, act: Callable[[], T], tear: Callable[[], None]) -> T:
        del tear
        operation = self._count(verb, key)
        if not self._is_down(operation):
            return act()
        if self._acts:
            act()
        raise UnreachableError(f"no answer to {operation}")


def tear_write(store: ObjectStore, data: bytes) -> None:
    """What a write leaves when it is cut short: in a file store, a nameless and truncated file."""
    if isinstance(store, FileStore):
        folder = store.root / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        (folder / uuid.uuid4().hex).write_bytes(data[: len(data) // 2])


def tear_delete(store: ObjectStore, key: str) -> None:
    """A file store's delete, cut short between the file and its emptied folders."""
    if isinstance(store, FileStore):
        store._path(key).unlink(missing_ok=True)


def _nothing() -> None:
    return None
