"""The metadata services of EC2 and Compute Engine, as strict as theirs: no token, no header, no answer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLES = "/latest/meta-data/iam/security-credentials/"


@dataclass(kw_only=True)
class Machine:
    """What the services say of the machine; tests change it while it runs. `asked` is every path that was answered.

    `role` is the name of an EC2 machine's role, `keys` what is given to whoever asks for it. `google` are the texts
    below `computeMetadata/v1/` of a machine on Compute Engine, beside whether it is taken back.
    """

    action: dict[str, str] | None = None
    rebalance: bool = False
    preempted: bool = False
    role: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=dict)
    google: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


class Handler(BaseHTTPRequestHandler):
    machine: Machine

    def do_PUT(self) -> None:
        life = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token" or not life.isdigit() or not 1 <= int(life) <= 21_600:
            self._say(400, "")
            return
        token = f"token-{len(self.machine.asked)}"
        self.machine.tokens.add(token)
        self._say(200, token)

    def do_GET(self) -> None:
        if self.machine.silent.is_set():
            self._say(503, "")
        elif self.path.startswith("/computeMetadata/"):
            self._google()
        else:
            self._amazon()

    def _google(self) -> None:
        if self.headers.get("Metadata-Flavor") != "Google":
            self._say(403, "Missing Metadata-Flavor:Google header.")
        else:
            known = {"instance/preempted": "TRUE" if self.machine.preempted else "FALSE", **self.machine.google}
            found = known.get(self.path.removeprefix("/computeMetadata/v1/"))
            self._say(404 if found is None else 200, found or "")

    def _amazon(self) -> None:
        soon = {"noticeTime": "2026-11-24T10:00:00Z"} if self.machine.rebalance else None
        known = {
            "/latest/meta-data/spot/instance-action": self.machine.action,
            "/latest/meta-data/events/recommendations/rebalance": soon,
            "/latest/dynamic/instance-identity/document": self.machine.identity or None,
            f"{ROLES}{self.machine.role}": self.machine.keys or None,
        }
        if self.headers.get("X-aws-ec2-metadata-token") not in self.machine.tokens:
            self._say(401, "")
        elif self.path == ROLES and self.machine.role:
            self._say(200, self.machine.role)
        elif known.get(self.path) is None:
            self._say(404, "")
        else:
            self._say(200, json.dumps(known[self.path], indent=2, separators=(",", " : ")))

    def _say(self, status: int, text: str) -> None:
        self.machine.asked.append(f"{self.command} {self.path} {status}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        return


@contextlib.contextmanager
def serving(at: str = "127.0.0.1") -> Iterator[Machine]:
    """Both services, at this address of this machine."""
    machine = Machine()
    handler = type("OfOne", (Handler,), {"machine": machine})
    with ThreadingHTTPServer((at, 0), handler) as server:
        machine.url = f"http://{at}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield machine
        finally:
            server.shutdown()
            thread.join()
