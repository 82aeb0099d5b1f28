"""Paperspace, as far as Gradient needs it: projects, secrets, workflows and their runs, by HTTP on this machine.

It refuses what is not in its forms, and runs what it is sent: the container of a run is a process here, of this very
program, which gets the job's arguments and variables, secrets filled in, and nothing else of what it was not given.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "psk-of-a-student"
TEAM = "t1234abcd"
PROJECT = "p5678efgh"
MACHINES = {"C5", "M4000", "RTX4000", "A4000", "P5000", "RTX5000"}
IMAGE = re.compile(r"[a-z0-9.:/_-]+@sha256:[0-9a-f]{64}")
TIMEOUT = re.compile(r"[1-9]\d*[smh]")
LONGEST_NAME = 128  # believed
PAGE = 2
"""Items of one page: few, so that whoever forgets the second page is found out."""

BEFORE, AFTER = "before", "after"


class No(Exception):  # noqa: N818 - an answer
    """A refusal: HTTP's status, and Paperspace's words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True)
class Run:
    """One run of a workflow."""

    id: int
    uuid: str
    spec: dict[str, Any]
    phase: str = "Pending"
    printed: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    made_at: datetime | str = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> dict[str, Any]:
        said = {"phase": self.phase, "jobs": {}}
        return {"id": self.id, "uuid": self.uuid, "status": said, "dtCreated": str(self.made_at)}


@dataclass(kw_only=True)
class Workflow:
    id: str
    name: str
    runs: list[Run] = field(default_factory=list)


@dataclass(kw_only=True)
class Gradient:
    """The stand-in. `fault` is told of each request before and after its effect, and may raise.

    Where `folder` is set, runs are really run there, for `lasts_s` at the most; else they stay as they are.
    `unlisted` is how many questions a new run is not listed for.
    """

    url: str = ""
    folder: Path | None = None
    lasts_s: float = 600.0
    projects: list[str] = field(default_factory=lambda: [PROJECT])
    has_workflows: bool = True
    secrets: dict[str, str] = field(default_factory=dict)
    workflows: list[Workflow] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    fault: Callable[[int, str, str, str], None] = lambda _number, _verb, _path, _when: None
    unlisted: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def runs(self) -> list[Run]:
        return [run for each in self.workflows for run in each.runs]

    def answer(self, verb: str, path: str, query: dict[str, str], body: Any) -> Any:
        """The answer's JSON."""
        parts = path.strip("/").split("/")
        match (verb, *parts):
            case ("GET", "auth", "session"):
                return {"team": {"handle": TEAM, "namespace": TEAM, "id": 1}, "user": {"handle": "u", "id": 2}}
            case ("GET", "projects"):
                return _page([{"handle": each, "name": each, "dtDeleted": None} for each in self.projects], query)
            case (_, "projects", project, "secrets", *rest):
                return self._secret(verb, project, rest, query, body)
            case (_, "workflows", *rest):
                if not self.has_workflows:
                    raise No(403, "Workflows are not available for this team.")
                return self._workflow(verb, rest, query, body)
        raise No(404, "No such operation.")

    def _secret(self, verb: str, project: str, rest: list[str], query: dict[str, str], body: Any) -> Any:
        if project not in self.projects:
            raise No(404, "Project not found.")
        if verb == "GET" and not rest:
            return _page([{"name": each} for each in self.secrets], query)
        if verb == "POST" and not rest:
            if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,62}", body["name"]):
                raise No(400, "Secret names are capitals, digits and underscores.")
            if body["name"] in self.secrets:
                raise No(409, "There is a secret of that name.")
            self.secrets[body["name"]] = body["value"]
            return {"name": body["name"]}
        if verb == "DELETE" and rest:
            if rest[0] not in self.secrets:
                raise No(404, "Secret not found.")
            del self.secrets[rest[0]]
            return None
        raise No(404, "No such operation.")

    def _workflow(self, verb: str, rest: list[str], query: dict[str, str], body: Any) -> Any:
        if not rest:
            return self._make(body) if verb == "POST" else self._list(query)
        found = next((each for each in self.workflows if each.id == rest[0]), None)
        if found is None or rest[1:2] != ["runs"]:
            raise No(404, "Workflow not found.")
        if rest[2:]:
            return _of_run(verb, _numbered(found, rest[2]), rest[3:], query)
        if verb == "POST":
            return self._start(found, body).to_json()
        listed = [] if self._is_unlisted(found) else found.runs
        return _page([each.to_json() for each in reversed(listed)], query)

    def _list(self, query: dict[str, str]) -> Any:
        _require(query.get("projectId") in self.projects, "projectId is required.")
        found = [{"id": each.id, "name": each.name, "projectId": query["projectId"]} for each in self.workflows]
        return _page(found, query)

    def _make(self, body: Any) -> Any:
        _require(set(body) <= {"name", "projectId", "spec", "run"}, "Unrecognized key.")
        _require(body["projectId"] in self.projects, "No such project.")
        _require(0 < len(body["name"]) <= LONGEST_NAME, "The name is too long.")
        made = Workflow(id=str(uuid.uuid4()), name=body["name"])
        self.workflows.append(made)
        return {"id": made.id, "name": made.name}

    def _is_unlisted(self, workflow: Workflow) -> bool:
        if workflow.runs and self.unlisted > 0:
            self.unlisted -= 1
            return True
        return False

    def _start(self, workflow: Workflow, body: Any) -> Run:
        _require(set(body) == {"spec"} and set(body["spec"]) == {"defaults", "jobs"}, "Unrecognized key.")
        _require(body["spec"]["defaults"]["resources"]["instance-type"] in MACHINES, "No such instance type.")
        (job,) = body["spec"]["jobs"].values()
        _require(set(job) <= {"uses", "with", "env", "timeout", "outputs", "inputs"}, "Unrecognized key.")
        _require(job["uses"] == "container@v1" and set(job["with"]) <= {"image", "args", "command"}, "No such action.")
        _require(bool(IMAGE.fullmatch(job["with"]["image"])), "The image cannot be pulled.")
        _require(bool(TIMEOUT.fullmatch(job["timeout"])), "No such timeout.")
        for value in job["env"].values():
            _require(value.removeprefix("secret:") in self.secrets, "No such secret.")
        made = Run(id=len(workflow.runs) + 1, uuid=str(uuid.uuid4()), spec=body["spec"])
        workflow.runs.append(made)
        if self.folder is not None:
            self._run(made, job, self.folder / made.uuid)
        return made

    def _run(self, run: Run, job: dict[str, Any], folder: Path) -> None:
        folder.mkdir(parents=True)
        mine = {name: self.secrets[value.removeprefix("secret:")] for name, value in job["env"].items()}
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
        run.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "facegan", *job["with"]["args"]],
            env={**kept, **mine, "FACEGAN_HOME": str(folder), "HOME": str(folder)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        run.phase = "Running"
        threading.Thread(target=_attend, args=(run, self.lasts_s), daemon=True).start()

    def clear(self) -> None:
        for run in self.runs():
            if run.process is not None:
                run.process.kill()
                run.process.wait()


def _attend(run: Run, lasts_s: float) -> None:
    """Take down what it prints, until it has ended, or its time is up: then without a word."""
    process = run.process
    assert process is not None
    assert process.stdout is not None
    limit = threading.Timer(lasts_s, process.kill)
    limit.start()
    for line in process.stdout:
        run.printed.append(line.decode(errors="replace").rstrip("\n"))
    code = process.wait()
    limit.cancel()
    if run.phase == "Running":
        run.phase = "Succeeded" if code == 0 else "Failed"


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise No(400, message)


def _of_run(verb: str, run: Run, rest: list[str], query: dict[str, str]) -> Any:
    if (verb, rest) == ("GET", ["logs"]):
        return _page([{"line": at, "message": text} for at, text in enumerate(run.printed)], query)
    if (verb, rest) == ("GET", []):
        return run.to_json()
    if (verb, rest) != ("POST", ["cancel"]):
        raise No(404, "No such operation.")
    if run.phase in {"Pending", "Running"}:
        run.phase = "Cancelled"
        if run.process is not None:
            run.process.kill()
    return None


def _numbered(workflow: Workflow, number: str) -> Run:
    found = next((each for each in workflow.runs if number in {str(each.id), each.uuid}), None)
    if found is None:
        raise No(404, "Run not found.")
    return found


def _page(items: list[Any], query: dict[str, str]) -> dict[str, Any]:
    first = int(query.get("after") or 0)
    following = first + PAGE
    more = following < len(items)
    return {"items": items[first:following], "hasMore": more, "nextPage": str(following) if more else None}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: Gradient

    def log_message(self, *_: object) -> None:
        """Nothing: requests are in the stand-in's own list."""

    def _do(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        path, query = parts.path.removeprefix("/v1"), dict(urllib.parse.parse_qsl(parts.query))
        fake = self.fake
        with fake.lock:
            fake.asked.append((self.command, path))
            if not path.endswith("/secrets"):
                fake.seen += self.path.encode() + data
            number = len(fake.asked)
            try:
                fake.fault(number, self.command, path, BEFORE)
                status, answer = self._answer(path, query, data)
                fake.fault(number, self.command, path, AFTER)
            except No as no:
                status, answer = no.status, {"code": "ERROR", "message": str(no)}
            except ConnectionError:
                self.close_connection = True
                return
        self._say(status, answer)

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def do_DELETE(self) -> None:
        self._do()

    def _answer(self, path: str, query: dict[str, str], data: bytes) -> tuple[int, Any]:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return 401, {"code": "UNAUTHORIZED", "message": "Not authenticated."}
        try:
            return 200, self.fake.answer(self.command, path, query, json.loads(data) if data else None)
        except No as no:
            return no.status, {"code": "ERROR", "message": str(no)}
        except (KeyError, TypeError, ValueError) as error:
            return 400, {"code": "BAD_REQUEST", "message": f"Invalid input: {error!r}"}

    def _say(self, status: int, answer: Any) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)


@contextlib.contextmanager
def serving(folder: Path | None = None) -> Iterator[Gradient]:
    fake = Gradient(folder=folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"fake": fake}))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.clear()
        server.shutdown()
        thread.join()
        server.server_close()
