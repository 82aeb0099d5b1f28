"""Things that happen at a chosen request of a session, in the proxy between it and its store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cloud.proxy import Asked, Fault
from tests.e2e.children import kind_of


@dataclass(kw_only=True)
class Moment:
    """A plan for the proxy: at the `count`-th request of this kind, counted from 1, act.

    The request waits for it, and so does every later one of its kind, up to `hold` seconds: a client that has waited
    for half a minute asks again, and an act that ends the session is over before the session gets any further.
    """

    kind: str
    act: Callable[[], object]
    count: int = 1
    hold: float = 900.0
    came: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _seen: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, asked: Asked) -> Fault | None:
        if kind_of(asked.verb, asked.target) != self.kind:
            return None
        with self._counting:
            self._seen += 1
            is_now = self._seen == self.count
        if is_now:
            self.came.set()
            try:
                self.act()
            finally:
                self.over.set()
        if self._seen >= self.count:
            self.over.wait(self.hold)
        return None
