"""What befalls the requests of one machine: a seeded die decides, so a history can be lived again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol, TypeVar

from facegan.errors import UnreachableError
from facegan.storage.base import LARGEST, ExpiredError, ObjectStore, RefusedError
from facegan.storage.memory import MemoryStore

T = TypeVar("T")


class Fault(Enum):
    """What befalls one request. Those of `LASTING` befall all that come after it for a while."""

    TIME_OUT = "a time-out"
    RESET_BEFORE = "a reset before the effect"
    RESET_AFTER = "a reset after the effect"
    LATE = "no answer, and the effect comes later"
    INTERNAL = "500"
    STORM = "503 for a while"
    TOO_MANY = "429"
    FORBIDDEN = "403 for a while"
    EXPIRED = "credentials that have run out"
    GONE = "the bucket deleted"
    FULL = "a full disk"
    DRIP = "a slow drip"
    FROZEN = "the machine asleep for minutes"
    KILLED_BEFORE = "the process killed before the effect"
    KILLED_AFTER = "the process killed after the effect"
    TRUNCATED = "a truncated body"
    FLIPPED = "a flipped bit"
    STALE = "a stale listing"


WRITES = ("put", "put_new", "delete")
LISTINGS = ("list", "sizes", "folders")
VERBS = ("get", *WRITES, *LISTINGS)
ONLY: Mapping[Fault, Sequence[str]] = {
    Fault.LATE: WRITES,
    Fault.FULL: ("put", "put_new"),
    Fault.TRUNCATED: ("get",),
    Fault.FLIPPED: ("get",),
    Fault.STALE: LISTINGS,
}
PAIRS = frozenset((verb, fault) for fault in Fault for verb in ONLY.get(fault, VERBS))


class Killed(BaseException):
    """The process is gone. Not an `Exception`: nothing a session does may hold it up."""


class Here(Protocol):
    """The process that asks, as far as its requests take time."""

    now: float

    def sleep(self, seconds: float) -> None: ...
    def later(self, seconds: float, effect: Callable[[], object]) -> None: ...


class Sky:
    """What all machines have in common: one store, and whether its bucket is there. `fair` ends all faults."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.store = MemoryStore()
        self.created: list[str] = []
        self.gone_until = 0.0
        self.fair = False
        self.rate = dice.choice((0.01, 0.02, 0.05, 0.1))
        self.turn = dice.randrange(10_000)
        self.befell: Counter[tuple[str, Fault]] = Counter()

    def draw(self, verb: str) -> Fault | None:
        """What befalls the next request; each verb goes through its faults in turn, so that all are reached."""
        if self.fair or self.dice.random() > (0.3 if verb in {"sizes", "folders", "delete"} else self.rate):
            return None
        self.turn += 1
        faults = [fault for fault in Fault if (verb, fault) in PAIRS]
        fault = faults[self.turn % len(faults)]
        self.befell[verb, fault] += 1
        return fault


class WeatheredStore(ObjectStore):
    """The store as one process sees it."""

    def __init__(self, sky: Sky, here: Here) -> None:
        self.url = "memory://"
        self._sky = sky
        self._here = here
        self._busy_until = self._forbidden_until = self._full_until = 0.0
        self._expired = False
        self._spoiled = ""

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        return self._ask("get", key, lambda: self._sky.store.get(key, at_most=at_most))

    def put(self, key: str, data: bytes) -> None:
        self._ask("put", key, lambda: self._create(key, lambda: self._sky.store.put(key, data)))

    def put_new(self, key: str, data: bytes) -> bool:
        return self._ask("put_new", key, lambda: self._create(key, lambda: self._sky.store.put_new(key, data)))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return iter(self._ask("list", prefix, lambda: [*self._sky.store.list(prefix, after=after)]))

    def sizes(self, prefix: str) -> dict[str, int]:
        return self._ask("sizes", prefix, lambda: self._sky.store.sizes(prefix))

    def times(self, prefix: str) -> dict[str, float]:
        return self._ask("times", prefix, lambda: self._sky.store.times(prefix))

    def folders(self, prefix: str) -> Iterator[str]:
        return iter(self._ask("folders", prefix, lambda: [*self._sky.store.folders(prefix)]))

    def delete(self, key: str) -> None:
        self._ask("delete", key, lambda: self._sky.store.delete(key))

    def _create(self, key: str, write: Callable[[], T]) -> T:
        if key not in self._sky.store.objects:
            self._sky.created.append(key)
        return write()

    def _ask(self, verb: str, key: str, act: Callable[[], T]) -> T:
        here, dice = self._here, self._sky.dice
        here.sleep(dice.uniform(0.01, 0.2))
        fault = self._sky.draw(verb)
        if not self._sky.fair:
            self._begin(fault)
            self._refuse(verb, key)
        if fault is Fault.DRIP:
            here.sleep(40.0)
        if fault is Fault.FROZEN:
            here.sleep(dice.uniform(15.0, 200.0))
        if fault is Fault.KILLED_BEFORE:
            raise Killed
        if fault is Fault.LATE:
            here.later(dice.uniform(0.1, 60.0), act)
        if fault in {Fault.TIME_OUT, Fault.RESET_BEFORE, Fault.TOO_MANY, Fault.LATE}:
            here.sleep(35.0 if fault is Fault.TIME_OUT else 0.0)
            raise UnreachableError(f'no answer for "{key}": {fault.value}')
        if fault is Fault.INTERNAL and dice.random() < 0.5:  # it may have done it, or not
            raise UnreachableError(f'no answer for "{key}": {fault.value}')
        answer = act()
        if fault is Fault.KILLED_AFTER:
            raise Killed
        if fault in {Fault.RESET_AFTER, Fault.INTERNAL}:
            raise UnreachableError(f'no answer for "{key}": {fault.value}')
        return self._changed(fault, key, answer)

    def _begin(self, fault: Fault | None) -> None:
        """Some faults last."""
        until = self._here.now + self._sky.dice.uniform(1.0, 60.0)
        if fault is Fault.STORM:
            self._busy_until = until
        if fault is Fault.FORBIDDEN:
            self._forbidden_until = until
        if fault is Fault.FULL:
            self._full_until = until
        if fault is Fault.EXPIRED:
            self._expired = True
        if fault is Fault.GONE:
            self._sky.gone_until = until

    def _refuse(self, verb: str, key: str) -> None:
        now = self._here.now
        if now < self._sky.gone_until:
            raise RefusedError(f'memory:// refuses "{key}": NoSuchBucket', hint="make the bucket first")
        if self._expired:
            raise ExpiredError(f'memory:// refuses "{key}": ExpiredToken', hint="make new ones")
        if now < self._forbidden_until:
            raise RefusedError(f'memory:// refuses "{key}": AccessDenied', hint="docs/storage.md has the policy")
        if now < self._busy_until:
            raise UnreachableError(f'memory:// cannot answer for "{key}" now: SlowDown')
        if now < self._full_until and verb in ONLY[Fault.FULL]:
            raise UnreachableError("the disk of memory:// is full", hint="free some space")

    def _changed(self, fault: Fault | None, key: str, answer: Any) -> Any:
        """Another answer than the true one. Never twice in a row of one object: that would be damage."""
        dice = self._sky.dice
        if fault in {Fault.TRUNCATED, Fault.FLIPPED} and answer and self._spoiled != key:
            self._spoiled = key
            at = dice.randrange(len(answer))
            return answer[:at] if fault is Fault.TRUNCATED else answer[:at] + bytes([answer[at] ^ 4]) + answer[at + 1 :]
        if isinstance(answer, bytes):
            self._spoiled = ""
        if fault is Fault.STALE and self._sky.created:
            hidden = set(self._sky.created[-dice.randrange(1, 8) :])
            if isinstance(answer, dict):
                return {name: size for name, size in answer.items() if name not in hidden}
            return [name for name in answer if name not in hidden]
        return answer
