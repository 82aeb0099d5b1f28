"""The stand-in as a whole: what a test starts, sets, and looks into."""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fakes.colab import arguments
from tests.fakes.colab.arguments import UsageError
from tests.fakes.colab.commands import Call, Exited
from tests.fakes.colab.machine import Machine, environment
from tests.waiting import PATIENCE_S

BEFORE, AFTER = "before", "after"
USER = "ada@example.com"
CLIENT = """#!{python} -IS
import json, os, socket, sys
asked = socket.create_connection(("127.0.0.1", {port}))
asked.sendall(json.dumps({{"words": sys.argv[1:], "folder": os.getcwd()}}).encode() + b"\\n")
for line in asked.makefile():
    said = json.loads(line)
    if "code" in said:
        os._exit(said["code"])
    stream = getattr(sys, said["stream"])
    stream.write(said["text"])
    stream.flush()
os._exit(70)
"""


@dataclass(slots=True, kw_only=True)
class Rules:
    """How Colab is today. Times are in real seconds, and shorter than Colab's."""

    user: str = USER
    version: str = "0.7.5"
    newer: bool = False
    sign_in: str = "ok"  # "absent", "expired", or without the "scope" that it takes
    internet: bool = True
    balance: float = 0.0
    entitled: tuple[str, ...] = ("NONE", "T4")
    machines: int = 1  # at once [F]
    no_machine: bool = False
    gives: str | None = None  # another accelerator than was asked for
    dies_in_new: bool = False  # the command, after Colab has given a machine
    session_s: float = 3600.0
    idle_s: float = 3600.0  # a machine whose kernel does nothing is taken away after that
    prelude_s: float = 0.4  # for which a call waits for a busy kernel; 10 at Colab [S]
    history: list[str] = field(default_factory=list)  # what the command keeps of the code that it ran [S]


@dataclass(slots=True, kw_only=True)
class Fault:
    """Befalls the `nth` call of a verb: it hangs, prints something else, or dies, before or after its effect."""

    verb: str
    kind: str  # "hang", "garbage" or "die"
    when: str = BEFORE
    nth: int = 1
    seen: int = 0


class Colab:
    """A running Colab. `calls` are those of the command as they came; `rules` may be changed at any time.

    `watcher` is told of each call before and after its effect; where it says `False`, the call dies there. `hangs` is
    set once a call does. A machine that gives itself back stays until Colab `lets_go` of it.
    """

    def __init__(self, folder: Path) -> None:
        self.rules = Rules()
        self.machines: dict[str, Machine] = {}
        self.ended: list[Machine] = []
        self.calls: list[list[str]] = []
        self.faults: list[Fault] = []
        self.bugs: list[str] = []
        self.watcher: Callable[[int, str], object] | None = None
        self.hangs = threading.Event()
        self.lets_go = threading.Event()
        self.lets_go.set()
        self._folder = folder
        self._closed = threading.Event()
        self.lock = threading.Lock()
        self._server = _serve(socketserver.ThreadingTCPServer, _handler(self))
        self._manager = _serve(http.server.ThreadingHTTPServer, _manager(self))
        self.bin = folder / "bin"
        self.bin.mkdir()
        client = self.bin / "colab"
        client.write_text(CLIENT.format(python=sys.executable, port=self._server.server_address[1]))
        client.chmod(0o755)
        threading.Thread(target=self._watch, daemon=True).start()

    def assign(self, accelerator: str) -> Machine:
        kind = "m" if accelerator == "NONE" else f"gpu-{accelerator.lower()}"
        endpoint = f"{kind}-s-{secrets.token_hex(6)}"
        manager = f"127.0.0.1:{self._manager.server_address[1]}/{endpoint}"
        machine = Machine(endpoint, accelerator, self._folder / endpoint, environment(manager, accelerator))
        if not machine.ready.wait(PATIENCE_S):
            self.bugs.append((machine.folder / "errors.txt").read_text())
        with self.lock:
            self.machines[endpoint] = machine
        return machine

    def take(self, endpoint: str, why: str) -> None:
        """Away with a machine."""
        with self.lock:
            machine = self.machines.pop(endpoint, None)
        if machine is not None:
            machine.end(why)
            self.ended.append(machine)

    @property
    def machine(self) -> Machine:
        """The only one there is."""
        (found,) = self.machines.values()
        return found

    def verbs(self) -> list[str]:
        return [next(word for word in words if word in arguments.COMMANDS) for words in self.calls]

    def answer(self, words: list[str], folder: Path, printed: Callable[[str, str], object]) -> int:
        """One call, from its words to its exit code."""
        with self.lock:
            self.calls.append(words)
            number = len(self.calls)
        verb = next((word for word in words if word in arguments.COMMANDS), "")
        if not self._befalls(verb, BEFORE, number, printed):
            return 137
        try:
            Call(self, arguments.parse(words), folder, printed).run()
            code = 0
        except UsageError as error:
            printed("stderr", f"Usage: colab [OPTIONS] COMMAND [ARGS]...\n│ {error} │\n")
            code = 2
        except Exited as exited:
            code = exited.code
        return code if self._befalls(verb, AFTER, number, printed) else 137

    def close(self) -> None:
        self._closed.set()
        self.lets_go.set()
        for endpoint in list(self.machines):
            self.take(endpoint, "closed")
        for server in (self._server, self._manager):
            server.shutdown()
            server.server_close()

    def _befalls(self, verb: str, when: str, number: int, printed: Callable[[str, str], object]) -> bool:
        """Whether the call goes on."""
        watcher = self.watcher
        if watcher is not None and watcher(number, when) is False:
            return False
        for fault in self.faults:
            if fault.verb != verb or fault.when != when:
                continue
            fault.seen += 1
            if fault.seen == fault.nth:
                if fault.kind == "hang":
                    self.hangs.set()
                    self._closed.wait(PATIENCE_S)
                if fault.kind == "garbage":
                    printed("stdout", "\x00<html>502 Bad Gateway</html>\n")
                return False
        return True

    def _watch(self) -> None:
        """Take away what has been there for too long, or does nothing."""
        while not self._closed.wait(0.02):
            now = time.monotonic()
            for endpoint, machine in list(self.machines.items()):
                if now - machine.began > self.rules.session_s:
                    self.take(endpoint, "cap")
                elif not machine.is_busy and now - machine.active > self.rules.idle_s:
                    self.take(endpoint, "idle")


def _handler(colab: Colab) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        """One call of the command. It goes on when whoever typed it has gone."""

        def handle(self) -> None:
            asked = json.loads(self.rfile.readline())
            try:
                code = colab.answer(asked["words"], Path(asked["folder"]), self._say)
            except Exception as error:
                colab.bugs.append(repr(error))
                raise
            self._send({"code": code})

        def _say(self, stream: str, text: str) -> None:
            self._send({"stream": stream, "text": text})

        def _send(self, said: dict[str, Any]) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(json.dumps(said).encode() + b"\n")

    return Handler


def _manager(colab: Colab) -> type[http.server.BaseHTTPRequestHandler]:
    class Manager(http.server.BaseHTTPRequestHandler):
        """What a machine may ask to have itself given back (`google.colab.runtime.unassign`)."""

        def do_POST(self) -> None:
            _, endpoint, verb = self.path.split("/")
            self.send_response(200 if verb == "unassign" else 404)
            self.end_headers()
            if verb == "unassign":
                colab.lets_go.wait()
                colab.take(endpoint, "unassigned")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Manager


def _serve(kind: Any, handler: Any) -> Any:
    server = kind(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@contextmanager
def running(folder: Path) -> Iterator[Colab]:
    """A stand-in whose state lies in the folder. When left, every process it started is dead."""
    colab = Colab(folder)
    try:
        yield colab
    finally:
        colab.close()
    assert colab.bugs == []
