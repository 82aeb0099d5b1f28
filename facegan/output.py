"""What a session prints, in pieces in the store, so that logs can be read where the machine has none."""

from __future__ import annotations

import threading

from facegan import layout
from facegan.storage.base import ObjectStore


class Output:
    """Collects what is printed; `flush` writes what came since as the next piece.

    A piece is written once, under the next number, and only after the lease was taken. What was printed
    after the last flush dies with the process: at most one heartbeat's worth.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting = bytearray()
        self._piece = 0

    def write(self, data: bytes) -> None:
        with self._lock:
            self._waiting += data

    def flush(self, store: ObjectStore, run: str, session: int) -> None:
        """Write what waits. When the storage does not answer it waits on, and nothing is lost."""
        with self._flushing:
            with self._lock:
                data = bytes(self._waiting)
            if data:
                store.put(layout.output_piece(run, session, self._piece), data)
                self._piece += 1
                with self._lock:
                    del self._waiting[: len(data)]
