"""moto's S3, with the one thing that S3 has and it lacks: looking for an object and writing it are one step.

It also reports what it was asked: `GET /-/requests` answers how many requests came since the last time.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

Start = Callable[..., Any]


class OneAtATime:
    """Serves one request after the other. A listing, too: moto ends one with a 500 when an object of it is deleted."""

    def __init__(self, app: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self._app = app
        self._at_work = threading.Lock()
        self._asked: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/-/requests":
            asked, self._asked = self._asked, Counter()
            start("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(asked).encode()]
        self._asked[environ["REQUEST_METHOD"]] += 1
        with self._at_work:
            return self._app(environ, start)


class Handler(MotoRequestHandler):
    """Keeps connections open, as S3 does."""

    protocol_version = "HTTP/1.1"

    def log(self, *_what: Any) -> None:
        return


if __name__ == "__main__":
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True, request_handler=Handler)
