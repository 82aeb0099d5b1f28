"""Asking again when the storage did not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from facegan.errors import UnreachableError
from facegan.storage.base import LARGEST, ObjectStore

T = TypeVar("T")
PAUSES_S = (0.2, 1.0, 3.0, 8.0)


class PatientStore(ObjectStore):
    """A store that asks up to five times, over some twelve seconds, before it says "unreachable".

    Every verb may be repeated. For `put_new` that is because the ledger reads what is there before it
    concludes anything from False: its own bytes mean that an unanswered attempt had succeeded.
    """

    def __init__(self, store: ObjectStore, sleep: Callable[[float], object]) -> None:
        self.url = store.url
        self._store = store
        self._sleep = sleep

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        return self._ask(lambda: self._store.get(key, at_most=at_most))

    def put(self, key: str, data: bytes) -> None:
        self._ask(lambda: self._store.put(key, data))

    def put_new(self, key: str, data: bytes) -> bool:
        return self._ask(lambda: self._store.put_new(key, data))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return iter(self._ask(lambda: [*self._store.list(prefix, after=after)]))

    def sizes(self, prefix: str) -> dict[str, int]:
        return self._ask(lambda: self._store.sizes(prefix))

    def times(self, prefix: str) -> dict[str, float]:
        return self._ask(lambda: self._store.times(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        return iter(self._ask(lambda: [*self._store.folders(prefix)]))

    def delete(self, key: str) -> None:
        self._ask(lambda: self._store.delete(key))

    def _ask(self, question: Callable[[], T]) -> T:
        for pause_s in PAUSES_S:
            try:
                return question()
            except UnreachableError:
                self._sleep(pause_s)
        return question()
