"""What goes wrong on the way: an error before or after the effect, or a connection that breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.kaggle.answers import Json

BEFORE, AFTER = "before", "after"
DROP = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One that came: `call` is `Service/Method`, or the path of what is no call. `n` counts from 1."""

    n: int
    verb: str
    call: str
    authorization: str
    body: Json


@dataclass(slots=True, kw_only=True)
class Fault:
    """Befalls the `nth` of the requests whose call contains `call`, and so many `times` in a row."""

    call: str
    when: str
    code: int
    nth: int
    times: int
    seen: int = 0

    def befalls(self, request: Request) -> bool:
        if self.call not in request.call:
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Faults:
    """Requests as they came, the faults to come, and whoever wants to be told of each request."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.watcher: Callable[[Request, str], None] | None = None
        self._planned: list[Fault] = []
        self._times: list[float] = []
        self._lock = threading.Lock()

    def fail(self, call: str = "", *, when: str = BEFORE, code: int = 500, nth: int = 1, times: int = 1) -> None:
        """Plan one: `code` is the HTTP status, or `DROP` to break the connection without an answer."""
        self._planned.append(Fault(call=call, when=when, code=code, nth=nth, times=times))

    def clear(self) -> None:
        self._planned.clear()

    def arrived(self, verb: str, call: str, authorization: str, body: Json) -> tuple[Request, Fault | None]:
        with self._lock:
            number = len(self.requests) + 1
            request = Request(n=number, verb=verb, call=call, authorization=authorization, body=body)
            self.requests.append(request)
            hits = [fault for fault in self._planned if fault.befalls(request)]
        return request, hits[0] if hits else None

    def tell(self, request: Request, when: str) -> None:
        if self.watcher is not None:
            self.watcher(request, when)

    def too_many(self, rate: tuple[int, float] | None) -> bool:
        """Whether this request is above the rate."""
        if rate is None:
            return False
        count, seconds = rate
        with self._lock:
            now = time.monotonic()
            self._times = [*(then for then in self._times if now - then < seconds), now]
            return len(self._times) > count
