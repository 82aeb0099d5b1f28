"""The HTTP of it: calls, streams of log lines, uploads and signed URLs, on a port of this machine.

A request may name the whole URL, as a client does that takes this server for its proxy. `/api/v1/…` is `/v1/…`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.kaggle.answers import IN_HTML, RATE_LIMITED, ApiError, Json, html, without_defaults
from tests.fakes.kaggle.faults import AFTER, BEFORE, DROP, Fault
from tests.fakes.kaggle.log import Log

if TYPE_CHECKING:
    from tests.fakes.kaggle.fake import Kaggle

JSON_TYPE = "application/json; charset=utf-8"
STREAM = "/v1/kernels/logs/stream/"
END_OF_LOG = b"data: END_OF_LOG\n\n"


class Server(ThreadingHTTPServer):
    """Serves one stand-in, in threads."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, kaggle: Kaggle) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kaggle = kaggle

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in the middle, by design; anything else is a bug of ours, and told to the test."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self.kaggle.bugs.append(repr(error))
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Nothing: requests are in the stand-in's own list."""

    def do_POST(self) -> None:
        path = self._path()
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(data or b"{}")
        except ValueError:
            body = {}
        call = path.removeprefix("/v1/")
        self._guarded(
            "POST", call, body, lambda: self._json(self.server.kaggle.call(self._who(), call, body, self._base()))
        )

    def do_GET(self) -> None:
        path = self._path()
        if path.startswith("/signed/"):
            self._guarded("GET", path, {}, lambda: self._file(self.server.kaggle.kernels.signed(path.split("/")[2])))
        elif path.startswith(STREAM):
            self._guarded("GET", path, {}, lambda: self._stream(path.removeprefix(STREAM)))
        else:
            self._guarded("GET", path, {}, self._nothing_here)

    def do_PUT(self) -> None:
        path = self._path()
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._guarded("PUT", path, {}, lambda: self._put(path.rpartition("/")[2], data))

    def _guarded(self, verb: str, call: str, body: Json, do: Callable[[], None]) -> None:
        """Do it, unless a fault says otherwise; a fault after the effect keeps the answer back."""
        kaggle = self.server.kaggle
        request, fault = kaggle.faults.arrived(verb, call, self.headers.get("Authorization", ""), body)
        kaggle.faults.tell(request, BEFORE)
        if kaggle.faults.too_many(kaggle.rules.rate):
            self._fail(RATE_LIMITED)
        elif fault is not None and fault.when == BEFORE:
            self._fail(fault.code)
        else:
            self._answer(do, fault)
        kaggle.faults.tell(request, AFTER)

    def _answer(self, do: Callable[[], None], fault: Fault | None) -> None:
        self._muted = fault is not None
        try:
            do()
        except ApiError as error:
            self._error(error)
        if fault is not None:
            self._muted = False
            self._fail(fault.code)

    def _fail(self, code: int) -> None:
        if code == DROP:
            self.close_connection = True
        elif code in IN_HTML:
            self._send(code, "text/html; charset=utf-8", html(code).encode())
        else:
            self._send(code, JSON_TYPE, json.dumps({"code": code, "message": "Internal error"}).encode())

    def _error(self, error: ApiError) -> None:
        if error.empty:
            self._send(error.code, None, b"")
        else:
            self._send(error.code, JSON_TYPE, json.dumps({"code": error.code, "message": error.message}).encode())

    def _json(self, answer: Json) -> None:
        plain = without_defaults(answer) if self.server.kaggle.rules.omits_defaults else answer
        self._send(200, JSON_TYPE, json.dumps(plain).encode())

    def _file(self, path: Path) -> None:
        self._send(200, "application/octet-stream", path.read_bytes())

    def _put(self, token: str, data: bytes) -> None:
        progress = self.server.kaggle.blobs.put(token, self.headers.get("Content-Range", ""), data)
        self._send(progress.code, "text/plain", b"", {"Range": progress.range} if progress.range else {})

    def _nothing_here(self) -> None:
        raise ApiError(404, "Not found")

    def _stream(self, ref: str) -> None:
        """Live: server-sent events from the first line on. After the end: the log as it is kept [S]."""
        owner, _, slug = ref.partition("/")
        account = self.server.kaggle.accounts.of_header(self._who())
        label = parse_qs(urlsplit(self.path).query).get("versionLabel", [None])[0]
        session = self.server.kaggle.kernels.stream(account, owner, slug, label)
        if session.over:
            self._send(200, "application/json", (session.kept_log() or "[]").encode())
        elif not self._muted:
            self._events(session.log)

    def _events(self, log: Log) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = self.server.kaggle.rules.events_before_cut
        for event in events(log):
            if left is not None and event.startswith(b"data:"):
                if left == 0:
                    self.close_connection = True
                    return
                left -= 1
            self._chunk(event)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send(self, code: int, kind: str | None, body: bytes, headers: dict[str, str] | None = None) -> None:
        if self._muted:
            return
        self.send_response(code)
        kinds = {"Content-Type": kind} if kind else {}
        for name, value in {**kinds, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _who(self) -> str:
        return self.headers.get("Authorization", "")

    def _base(self) -> str:
        return self.server.kaggle.url

    def _path(self) -> str:
        self._muted = False
        return urlsplit(self.path).path.removeprefix("/api")


def events(log: Log) -> Iterator[bytes]:
    """The events of a stream, with a comment now and then while there are none."""
    for entry in log.follow():
        yield b": keep-alive\n\n" if entry is None else f"data: {json.dumps(entry)}\n\n".encode()
    yield END_OF_LOG
