"""One process of this machine at a time. The lock is the kernel's: it ends with the process, however it ends."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


LOOK_EVERY_S = 0.1


@contextlib.contextmanager
def alone(path: Path | None, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Wait until no other process is inside with this file. `None` locks nothing.

    `waiting` is called again and again while one is.
    """
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while not _take(file.fileno()):
            waiting()
            time.sleep(LOOK_EVERY_S)
        yield


@contextlib.contextmanager
def alone_if_free(path: Path) -> Iterator[bool]:
    """Be inside with this file if nobody is, of this process or another: whether it was free. Waits for nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield _take(file.fileno())


if sys.platform == "win32":

    def _take(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
