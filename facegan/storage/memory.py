"""A store in this process' memory, for tests and rehearsals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from facegan.storage.base import LARGEST, NotFoundError, ObjectStore, TooLargeError, checked, in_order


class MemoryStore(ObjectStore):
    """Objects in a dict. Stores opened by the same URL in one process are one store."""

    def __init__(self, url: str = "memory://", wall_s: Callable[[], float] = time.time) -> None:
        self.url = url
        self._wall_s = wall_s
        shared = _SHARED.setdefault(url, _new()) if url != "memory://" else _new()
        self.objects, self._written, self._lock = shared

    @classmethod
    def open(cls, url: str) -> MemoryStore:
        return cls(url)

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        with self._lock:
            if checked(key) not in self.objects:
                raise NotFoundError(f'no object "{key}" in {self.url}')
            data = self.objects[key]
        if len(data) > at_most:
            raise TooLargeError(key, at_most)
        return data

    def put(self, key: str, data: bytes) -> None:
        with self._lock:
            self.objects[checked(key)] = bytes(data)
            self._written[key] = self._wall_s()

    def put_new(self, key: str, data: bytes) -> bool:
        with self._lock:
            if checked(key) in self.objects:
                return False
            self.objects[key] = bytes(data)
            self._written[key] = self._wall_s()
            return True

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        with self._lock:
            keys = [key for key in self.objects if key.startswith(prefix)]
        return iter(in_order(keys, after=after))

    def sizes(self, prefix: str) -> dict[str, int]:
        with self._lock:
            found = {key: len(data) for key, data in self.objects.items() if key.startswith(prefix)}
        return {key: found[key] for key in in_order(found)}

    def times(self, prefix: str) -> dict[str, float]:
        with self._lock:
            found = {key: self._written.get(key, 0.0) for key in self.objects if key.startswith(prefix)}
        return {key: found[key] for key in in_order(found)}

    def folders(self, prefix: str) -> Iterator[str]:
        rests = (key[len(prefix) :] for key in self.list(prefix))
        return iter(sorted({rest.partition("/")[0] for rest in rests if "/" in rest}, key=str.encode))

    def delete(self, key: str) -> None:
        with self._lock:
            self.objects.pop(checked(key), None)
            self._written.pop(key, None)


_Shared: TypeAlias = tuple[dict[str, bytes], dict[str, float], threading.Lock]


def _new() -> _Shared:
    return {}, {}, threading.Lock()


_SHARED: dict[str, _Shared] = {}
