"""One process of this machine at a time. The lock is the kernel's: it ends with the process, however it ends."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextlib.contextmanager
def alone(path: Path | None) -> Iterator[None]:
    """Wait until no other process is inside with this file. `None` locks nothing."""
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if sys.platform == "win32":
            _take(file.fileno())
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if sys.platform == "win32":

    def _take(handle: int) -> None:
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            except OSError:
                time.sleep(0.1)
            else:
                return
