"""A proxy in front of a real server, through which things go wrong."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Fault(Enum):
    """What befalls one request."""

    RESET_BEFORE = "reset before the effect"
    RESET_AFTER = "reset after the effect"
    SILENCE = "no answer"
    INTERNAL = "500"
    BUSY = "503"
    TOO_MANY = "429"
    CONFLICT = "409"
    FORBIDDEN = "403"
    GARBAGE = "a page of somebody else's"
    TRUNCATED = "a truncated body"
    FLIPPED = "a flipped bit"
    DRIP = "a slow drip"
    STALE = "a stale listing"
    UNCONDITIONAL = "the condition ignored"


ANSWERS = {
    Fault.INTERNAL: (500, "InternalError"),
    Fault.BUSY: (503, "SlowDown"),
    Fault.TOO_MANY: (429, "TooManyRequests"),
    Fault.CONFLICT: (409, "ConditionalRequestConflict"),
    Fault.FORBIDDEN: (403, "AccessDenied"),
}
SILENT_S = 3.0
DRIP_S = 0.02
ONLY_OF_READS = {Fault.TRUNCATED, Fault.FLIPPED, Fault.DRIP, Fault.STALE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, as a plan sees it; `verb` is the store's word for it."""

    verb: str
    target: str


Plan = Callable[[Asked], Fault | None]


@dataclass(kw_only=True)
class Proxy:
    """What the proxy does: `plan` says what befalls a request; `befell` counts what did."""

    upstream: str
    plan: Plan = lambda _asked: None
    befell: Counter[tuple[str, Fault]] = field(default_factory=Counter)
    listings: dict[str, Answer] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@contextlib.contextmanager
def proxy(upstream: str, host: str = "127.0.0.1") -> Iterator[Proxy]:
    """A proxy in front of the server at this URL, at an address of this machine, for as long as the block lasts."""
    found = Proxy(upstream=upstream)
    handler = type("Bound", (_Handler,), {"proxy": found})
    with ThreadingHTTPServer((host, 0), handler) as server:
        server.daemon_threads = True
        found.url = f"http://{host}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield found
        server.shutdown()


def verb_of(method: str, target: str, headers: http.client.HTTPMessage) -> str:
    """The store's verb, from a request of either protocol."""
    query = urlsplit(target).query
    if method == "DELETE":
        return "delete"
    if method in {"PUT", "POST"}:
        return "put_new" if headers.get("If-None-Match") or "ifGenerationMatch=0" in query else "put"
    return "list" if "list-type=2" in query or target.partition("?")[0].endswith("/o") else "get"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every body waits for the other side's delayed word on its head
    proxy: Proxy

    def _any(self) -> None:
        body = self._body()
        asked = Asked(verb=verb_of(self.command, self.path, self.headers), target=self.path)
        fault = self.proxy.plan(asked)
        if fault in ONLY_OF_READS and asked.verb not in {"get", "list"}:
            fault = None
        if fault is not None:
            self.proxy.befell[asked.verb, fault] += 1
        if fault is Fault.SILENCE:
            time.sleep(SILENT_S)
        if fault in {Fault.RESET_BEFORE, Fault.SILENCE}:
            self._reset()
        elif fault in ANSWERS:
            self._refuse(*ANSWERS[fault])
        elif fault is Fault.GARBAGE:
            self._send(Answer(status=404, headers=[("Content-Type", "text/html")], body=b"<h1>Not here</h1>"))
        else:
            self._pass_on(body, asked, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815 - their names

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise NotImplementedError
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError  # who sent it gave up in the middle: nobody asked anything
        return body

    def _pass_on(self, body: bytes, asked: Asked, fault: Fault | None) -> None:
        answer = self._ask(body, unconditional=fault is Fault.UNCONDITIONAL)
        if fault is Fault.RESET_AFTER:
            self._reset()
            return
        if asked.verb == "list":
            answer = self.proxy.listings.get(self.path, answer) if fault is Fault.STALE else answer
            self.proxy.listings[self.path] = answer
        if fault is Fault.FLIPPED and answer.body and answer.status == 200:
            at = len(answer.body) // 2
            changed = answer.body[:at] + bytes([answer.body[at] ^ 1]) + answer.body[at + 1 :]
            answer = Answer(status=answer.status, headers=answer.headers, body=changed)
        self._send(answer, cut=fault is Fault.TRUNCATED, drip=fault is Fault.DRIP)

    def _ask(self, body: bytes, *, unconditional: bool) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        target = self.path
        if unconditional:
            headers.pop("If-None-Match", None)
            target = target.replace("ifGenerationMatch=0", "x=0")
        upstream = http.client.HTTPConnection(urlsplit(self.proxy.upstream).netloc, timeout=60)
        with contextlib.closing(upstream):
            upstream.request(self.command, target, body=body or None, headers=headers)
            answer = upstream.getresponse()
            kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in {"transfer-encoding", "connection"}]
            return Answer(status=answer.status, headers=kept, body=answer.read())

    def _refuse(self, status: int, code: str) -> None:
        xml = f"<Error><Code>{code}</Code><Message>as planned</Message></Error>".encode()
        self._send(Answer(status=status, headers=[("Content-Type", "application/xml")], body=xml))

    def _send(self, answer: Answer, *, cut: bool = False, drip: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            if name.lower() not in {"content-length", "date", "server"}:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if drip:
            self._drip(answer.body)
        else:
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        if cut:
            self._reset()

    def _drip(self, body: bytes) -> None:
        with contextlib.suppress(OSError):
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(DRIP_S)

    def _reset(self) -> None:
        """End the connection by RST, not by a polite end."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_what: object) -> None:
        return
