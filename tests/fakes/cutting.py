"""A process that dies in the middle of a request: the server has half of it, or all of it and nobody to answer."""

from __future__ import annotations

import os
import signal
import socket
import threading
from typing import Any

WITH_BODY = (b"PUT ", b"POST ")
HEAD = (b"GET ", b"DELETE ", *WITH_BODY)


def die_in_the_next_request() -> None:
    """Have this thread's next request cut short: a body in its middle, and a request without one when it is sent.

    Both SDKs send what they send by one method of the socket, the head by a call of its own.
    """
    whole, mine = socket.socket.sendall, threading.get_ident()
    waits_for_body = False

    def cut(self: socket.socket, data: Any, *flags: int) -> None:
        nonlocal waits_for_body
        if threading.get_ident() != mine:
            whole(self, data, *flags)
        elif bytes(data[:8]).startswith(HEAD):
            whole(self, data, *flags)
            waits_for_body = bytes(data[:8]).startswith(WITH_BODY)
            if not waits_for_body:
                _die()
        elif waits_for_body:
            whole(self, data[: len(data) // 2], *flags)
            _die()

    socket.socket.sendall = cut  # type: ignore[assignment, method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
