"""A child process: imports MLflow once, then forks one sync for every line on standard input.

A line is `RUN_URL TRACKING_URI [K…]`. It syncs once for each K, in processes of their own that all start at the
same moment, and answers with their exit statuses. A sync kills itself (SIGKILL) before its K-th
operation on MLflow; with K = 0 it goes to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from facegan.tracking import command, generator
from facegan.tracking.server import Server
from facegan.tracking.sync import Copy

generator.BUILD = "no_such_framework.export:build"


class MortalClient:
    def __init__(self, client: Any, at: int) -> None:
        self._client, self._left = client, at

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return getattr(self._client, name)(*arguments, **named)

        return call


def sync(run_url: str, tracking_uri: str, at: int, start: int) -> int:
    os.read(start, 1)  # returns when the parent closes its end
    try:
        server = Server.open(tracking_uri)
        server.client = MortalClient(server.client, at)
        Copy(ledger=command._ledger(run_url), server=server, say=lambda _text: None).update()
    except Exception as error:  # noqa: BLE001 - a child's last line
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def main() -> None:
    for line in sys.stdin:
        run_url, tracking_uri, *kills = line.split()
        start, go = os.pipe()
        children = []
        for at in map(int, kills):
            pid = os.fork()
            if pid == 0:
                os.close(go)
                os._exit(sync(run_url, tracking_uri, at, start))
            children.append(pid)
        os.close(go)
        os.close(start)
        statuses = (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children)
        sys.stdout.write(" ".join(map(str, statuses)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
