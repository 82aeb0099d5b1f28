"""Waiting for what somebody else does: with patience, as a machine that runs tests is often busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 600.0
ASKS_EVERY_S = 0.02
AT_MOST_S = 5.0


def until(
    happened: Callable[[], object],
    said: Callable[[], object] = lambda: "it never comes",
    *,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait for it. Who asks sleeps as long as asking took: what is waited for needs this core, too.

    Raises `AssertionError` with what was `said` meanwhile.
    """
    began = time.monotonic()
    deadline = began + patience_s
    while not happened():
        asked = time.monotonic()
        assert asked < deadline, said()
        time.sleep(min(max(ASKS_EVERY_S, asked - began), AT_MOST_S))
        began = time.monotonic()
