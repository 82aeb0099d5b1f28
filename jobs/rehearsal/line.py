"""The store of a rehearsal, and the way of one process to it."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from facegan import layout
from facegan.errors import UnreachableError
from facegan.storage.base import LARGEST, ObjectStore
from facegan.storage.memory import MemoryStore
from jobs.rehearsal.process import Process
from jobs.rehearsal.script import Script

T = TypeVar("T")
Witness = Callable[[str, str, bytes], object]
"""Is told of everything that is about to be changed: the verb, the key, and the bytes."""


class OrderedStore(MemoryStore):
    """A store in memory with its keys in order, so that a listing costs what it lists. `witness` sees every change."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        super().__init__(wall_s=wall_s)
        self._keys: list[str] = []
        self.witness: Witness = lambda _verb, _key, _data: None

    def put(self, key: str, data: bytes) -> None:
        self.witness("put", key, data)
        self._insert(key)
        super().put(key, data)

    def put_new(self, key: str, data: bytes) -> bool:
        if key in self.objects:
            return False
        self._insert(key)
        super().put_new(key, data)
        self.witness("put_new", key, data)
        return True

    def delete(self, key: str) -> None:
        self.witness("delete", key, b"")
        if key in self.objects:
            del self._keys[bisect.bisect_left(self._keys, key)]
        super().delete(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return iter(self._under(prefix, after))

    def sizes(self, prefix: str) -> dict[str, int]:
        return {key: len(self.objects[key]) for key in self._under(prefix)}

    def times(self, prefix: str) -> dict[str, float]:
        return {key: self._written[key] for key in self._under(prefix)}

    def _insert(self, key: str) -> None:
        if key not in self.objects:
            bisect.insort(self._keys, key)

    def _under(self, prefix: str, after: str = "") -> Sequence[str]:
        first = bisect.bisect_right(self._keys, after) if after >= prefix else bisect.bisect_left(self._keys, prefix)
        return self._keys[first : bisect.bisect_left(self._keys, prefix + "\x7f", first)]


class Weather:
    """When the store does not answer, and which of its answers are lost."""

    def __init__(self, script: Script, clock: Callable[[], float]) -> None:
        self._outages = script.outages()
        self._lost, self._until_s = script.troubles.lost, script.troubles.until_s
        self._luck = script.luck("weather")
        self._clock = clock

    def is_down(self) -> bool:
        return any(begins <= self._clock() < ends for begins, ends in self._outages)

    def loses(self) -> bool:
        """Whether the answer to this operation is lost, which was done all the same."""
        return self._lost > 0.0 and self._clock() < self._until_s and self._luck.random() < self._lost


class Line(ObjectStore):
    """A process' way to the store. `pause` lets the time pass that an operation takes, by its verb and key."""

    def __init__(
        self, store: ObjectStore, process: Process, weather: Weather, pause: Callable[[str, str], object]
    ) -> None:
        self.url = store.url
        self._store = store
        self._process = process
        self._weather = weather
        self._pause = pause

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        return self._do("get", key, lambda: self._store.get(key, at_most=at_most))

    def put(self, key: str, data: bytes) -> None:
        self._do("put", key, lambda: self._store.put(key, data))

    def put_new(self, key: str, data: bytes) -> bool:
        return self._do("put_new", key, lambda: self._store.put_new(key, data))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return self._do("list", prefix, lambda: self._store.list(prefix, after=after))

    def sizes(self, prefix: str) -> dict[str, int]:
        return self._do("sizes", prefix, lambda: self._store.sizes(prefix))

    def times(self, prefix: str) -> dict[str, float]:
        return self._do("times", prefix, lambda: self._store.times(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        return self._do("folders", prefix, lambda: self._store.folders(prefix))

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self._store.delete(key))

    def _do(self, verb: str, key: str, act: Callable[[], T]) -> T:
        self._pause(verb, key)
        return self._process.meet(lambda: self._ask(key, act))

    def _ask(self, key: str, act: Callable[[], T]) -> T:
        if self._weather.is_down():
            raise UnreachableError(f'no answer about "{key}"')
        answer = act()
        if self._weather.loses():
            raise UnreachableError(f'the answer about "{key}" was lost')
        return answer


def is_state(key: str) -> bool:
    return key.endswith(f"/{layout.STATE}")
