"""Things that happen at a chosen request of a session, in the proxy between it and its store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cloud.proxy import Asked, Fault
from tests.e2e.children import kind_of


@dataclass(kw_only=True)
class Moment:
    """A plan for the proxy: at the `count`-th object that requests of this kind ask for, counted from 1, act.

    What is asked for again, because a request broke off, is the same object. The request waits for the act, and so does
    every later one of its kind, up to `hold` seconds: a client that has waited for half a minute asks again, and an act
    that ends the session is over before the session gets any further.
    """

    kind: str
    act: Callable[[], object]
    count: int = 1
    hold: float = 900.0
    came: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _seen: set[str] = field(default_factory=set)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> Fault | None:
        if kind_of(asked.verb, asked.target) != self.kind:
            return None
        with self._counting:
            is_now = asked.target not in self._seen and len(self._seen) == self.count - 1
            self._seen.add(asked.target)
        if is_now:
            self.came.set()
            try:
                self.act()
            finally:
                self.over.set()
        if len(self._seen) >= self.count:
            self.over.wait(self.hold)
        return None
