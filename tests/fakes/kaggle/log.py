"""A session's log: lines with stream and time, to be read from its start by any number of readers while it grows."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

from tests.fakes.kaggle.answers import Json

KEEP_ALIVE_S = 0.5


class Log:
    """Grows until it is closed. `time` is in real seconds since the session began to run."""

    def __init__(self) -> None:
        self._entries: list[Json] = []
        self._closed = False
        self._changed = threading.Condition()
        self._began = time.monotonic()

    def begin(self) -> None:
        self._began = time.monotonic()

    def add(self, stream: str, data: str) -> None:
        entry = {"stream_name": stream, "time": round(time.monotonic() - self._began, 9), "data": data}
        with self._changed:
            self._entries.append(entry)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def text(self) -> str:
        """All of it as the array that is kept, one entry on a line. Its first entry has no comma before it [R]."""
        with self._changed:
            return "[" + "\n,".join(json.dumps(entry) for entry in self._entries) + "\n]" if self._entries else ""

    def plain(self) -> str:
        """What was printed, both streams together: for tests."""
        with self._changed:
            return "".join(entry["data"] for entry in self._entries)

    def follow(self) -> Iterator[Json | None]:
        """Every entry from the first to the last, as they come; `None` when there was none for a while."""
        at = 0
        while True:
            with self._changed:
                if at == len(self._entries) and not self._closed:
                    self._changed.wait(KEEP_ALIVE_S)
                new, over = self._entries[at:], self._closed
            if new:
                yield from new
            elif over:
                return
            else:
                yield None
            at += len(new)
