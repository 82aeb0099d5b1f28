"""A store in this process' memory, for tests and rehearsals."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from facegan.storage.base import LARGEST, NotFoundError, ObjectStore, TooLargeError, checked, in_order


class MemoryStore(ObjectStore):
    """Objects in a dict. Stores opened by the same URL in one process are one store."""

    def __init__(self, url: str = "memory://") -> None:
        self.url = url
        self.objects, self._lock = _SHARED.setdefault(url, _new()) if url != "memory://" else _new()

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

    def put_new(self, key: str, data: bytes) -> bool:
        with self._lock:
            if checked(key) in self.objects:
                return False
            self.objects[key] = bytes(data)
            return True

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        with self._lock:
            keys = [key for key in self.objects if key.startswith(prefix)]
        return iter(in_order(keys, after=after))

    def sizes(self, prefix: str) -> dict[str, int]:
        with self._lock:
            found = {key: len(data) for key, data in self.objects.items() if key.startswith(prefix)}
        return {key: found[key] for key in in_order(found)}

    def folders(self, prefix: str) -> Iterator[str]:
        rests = (key[len(prefix) :] for key in self.list(prefix))
        return iter(sorted({rest.partition("/")[0] for rest in rests if "/" in rest}, key=str.encode))

    def delete(self, key: str) -> None:
        with self._lock:
            self.objects.pop(checked(key), None)


def _new() -> tuple[dict[str, bytes], threading.Lock]:
    return {}, threading.Lock()


_SHARED: dict[str, tuple[dict[str, bytes], threading.Lock]] = {}
