"""Compute Engine's REST API v1 with one project, as strict as its documentation, and asked by Google's own client.

A test sees each request, refuses it, and kills whoever sent it. Operations take as many looks as `polls` says; Google
makes nothing twice of one request id, or of one name in a zone. Machines do nothing by themselves: `preempt` and `stop`
are what others do to them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes import gce_rules
from tests.fakes.gce_rules import Json, Place, Refusal

PROJECT = "a-project"
OWNER = f"me@{PROJECT}.iam.gserviceaccount.com"
MACHINE = f"facegan-session@{PROJECT}.iam.gserviceaccount.com"
SYSTEM = "system@google.com"
BASE = "/compute/v1"
ALL = ("us-central1-a", "us-central1-b", "us-central1-c", "europe-west4-a")
TYPES = {"n1-standard-4": ALL, "n1-standard-8": ALL, "e2-standard-4": ALL, "g2-standard-4": ALL[:2]}
GPUS = {"nvidia-tesla-t4": (ALL[0], ALL[2], ALL[3]), "nvidia-l4": ALL[:2]}
BEFORE, AFTER = "before", "after"
KEPT = {"tokens", "numbers", "at_work"}  # from test to test
METHODS = {
    ("GET", r"/projects/(?P<project>[^/]+)"): "projects.get",
    ("GET", r"/projects/(?P<project>[^/]+)/regions/(?P<region>[^/]+)"): "regions.get",
    ("GET", r"/projects/(?P<project>[^/]+)/aggregated/(?P<what>[A-Za-z]+)"): "aggregatedList",
    ("GET", r"/projects/(?P<project>[^/]+)/global/images/family/(?P<family>[^/]+)"): "images.getFromFamily",
    ("POST", r"/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/instances"): "instances.insert",
    ("GET", r"/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/instances/(?P<name>[^/]+)"): "instances.get",
    ("DELETE", r"/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/instances/(?P<name>[^/]+)"): "instances.delete",
    ("GET", r"/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/instances/(?P<name>[^/]+)/serialPort"): "serialPort",
    ("GET", r"/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/operations"): "zoneOperations.list",
    ("GET", r"/projects/(?P<project>[^/]+)/zones/(?P<zone>[^/]+)/operations/(?P<name>[^/]+)"): "zoneOperations.get",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: the method of the API, with what was named in its path, its query, and its body."""

    number: int
    method: str
    named: dict[str, str]
    query: dict[str, str]
    body: Json
    user: str

    @property
    def action(self) -> str:
        return self.method.replace("aggregatedList", f"{self.named.get('what')}.aggregatedList")

    @property
    def where(self) -> tuple[str, str]:
        """Type and zone of a machine that was asked for."""
        return self.body["machineType"].rpartition("/")[2], self.named["zone"]

    @property
    def script(self) -> str:
        return metadata(self.body)["startup-script"]


@dataclass(kw_only=True)
class Gce:
    """A project with the service account of sessions, quotas, and no machine.

    `refuse` has an answer refused at once, `fail` the operation that makes a machine, by the error it ends with.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    refuse: Callable[[Asked], Refusal | None] = lambda _asked: None
    fail: Callable[[Asked], Json | None] = lambda _asked: None
    watch: Callable[[Asked, str], object] = lambda _asked, _when: None
    polls: int = 2
    console: str = ""
    instances: list[Json] = field(default_factory=list)
    operations: list[Json] = field(default_factory=list)
    accounts: set[str] = field(default_factory=lambda: {MACHINE})
    tokens: dict[str, str] = field(default_factory=dict)
    quotas: dict[str, float] = field(default_factory=dict)
    seen: bytearray = field(default_factory=bytearray)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(4_000_000_000_000_000_001))
    at_work: Any = field(default_factory=threading.RLock)

    def begin_anew(self) -> None:
        """No machine, no history, and nothing that a test has changed."""
        clean = Gce(url=self.url)
        self.__dict__.update({name: value for name, value in vars(clean).items() if name not in KEPT})
        self.quotas = {"GPUS_ALL_REGIONS": 1.0, "PREEMPTIBLE_NVIDIA_T4_GPUS": 1.0, "CPUS": 24.0}

    def actions(self) -> list[str]:
        return [each.action for each in self.asked]

    def inserted(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "instances.insert"]

    def made(self) -> list[Json]:
        """The operations by which machines were really made."""
        return [each for each in self.operations if each["operationType"] == "insert" and "error" not in each]

    def preempt(self) -> None:
        """The one machine that there is is taken back, and deleted."""
        (one,) = self.instances
        self._note(one, "compute.instances.preempted", SYSTEM)
        self._note(one, "delete", SYSTEM)
        self.instances.remove(one)

    def remove(self, user: str) -> None:
        """Somebody has deleted the one machine that there is."""
        (one,) = self.instances
        self._note(one, "delete", user)
        self.instances.remove(one)

    def stop(self, status: str = "TERMINATED", operation: str = "", user: str = SYSTEM) -> None:
        """The one machine that there is is in this state now, by this operation, if by any."""
        (one,) = self.instances
        one["status"] = status
        if operation:
            self._note(one, operation, user)

    def advance(self) -> None:
        """What is being done comes one look further."""
        for operation in self.operations:
            if operation["status"] != "DONE":
                operation["-left"] -= 1
                operation["status"] = "RUNNING"
                if operation["-left"] <= 0:
                    self._done(operation)

    def insert(self, asked: Asked) -> Json:
        zone, identity = asked.named["zone"], asked.query.get("requestId", "")
        gce_rules.require(asked.body, zone, identity, Place(types=TYPES, gpus=GPUS, accounts=self.accounts))
        if known := [each for each in self.operations if each.get("clientOperationId") == identity]:
            return known[0]
        name = asked.body["name"]
        if any((each["name"], zone_of(each)) == (name, zone) for each in self.instances):
            said = f"The resource 'projects/{PROJECT}/zones/{zone}/instances/{name}' already exists"
            raise Refusal(status=409, reason="alreadyExists", message=said)
        made = {
            **asked.body, "id": str(next(self.numbers)), "status": "PROVISIONING", "zone": self._zone(zone),
            "creationTimestamp": datetime.now(UTC).isoformat(timespec="milliseconds"), "kind": "compute#instance",
        }  # fmt: skip
        self.instances.append(made)
        operation = self._note(made, "insert", asked.user, identity)
        return self._begun(operation, self.fail(asked))

    def delete(self, asked: Asked) -> Json:
        found = self.instance(asked)
        found["status"] = "STOPPING"
        return self._begun(self._note(found, "delete", asked.user))

    def instance(self, asked: Asked) -> Json:
        zone, name = asked.named["zone"], asked.named["name"]
        for found in self.instances:
            if (found["name"], zone_of(found)) == (name, zone):
                return found
        said = f"The resource 'projects/{PROJECT}/zones/{zone}/instances/{name}' was not found"
        raise Refusal(status=404, reason="notFound", message=said)

    def _begun(self, operation: Json, fails: Json | None = None) -> Json:
        operation |= {"status": "PENDING", "progress": 0, "-left": self.polls, "-fails": fails}
        if self.polls == 0:
            self._done(operation)
        return operation

    def _done(self, operation: Json) -> None:
        operation |= {"status": "DONE", "progress": 100}
        target = next((each for each in self.instances if each["id"] == operation["targetId"]), None)
        if failure := operation.pop("-fails", None):
            operation |= {"error": {"errors": [failure]}, "httpErrorStatusCode": 503, "httpErrorMessage": "UNAVAILABLE"}
        if target is not None and (failure or operation["operationType"] == "delete"):
            self.instances.remove(target)
        elif target is not None and operation["operationType"] == "insert":
            target["status"] = "RUNNING"

    def _note(self, instance: Json, type: str, user: str, identity: str = "") -> Json:
        zone, number = zone_of(instance), next(self.numbers)
        operation = {
            "kind": "compute#operation", "id": str(number), "name": f"operation-{number}", "operationType": type,
            "zone": self._zone(zone), "targetId": instance["id"], "user": user, "status": "DONE", "progress": 100,
            "targetLink": f"{self._zone(zone)}/instances/{instance['name']}",
            "insertTime": f"{datetime.now(UTC).isoformat(timespec='microseconds')}",
            **({"clientOperationId": identity} if identity else {}),
        }  # fmt: skip
        self.operations.append(operation)
        return operation

    def _zone(self, zone: str) -> str:
        return f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{zone}"


def zone_of(found: Json) -> str:
    return str(found["zone"]).rpartition("/")[2]


def metadata(body: Json) -> dict[str, str]:
    return {each["key"]: each["value"] for each in body["metadata"]["items"]}


def matching(found: list[Json], filter: str) -> list[Json]:
    """Those that a filter lets through: expressions of one of the API's two kinds, never both in one."""
    parts = [part.strip("()") for part in filter.split(" AND ")] if filter else []
    if any(" eq " in part for part in parts) and len(parts) > 1:
        raise Refusal(status=400, reason="invalid", message=f"Invalid list filter expression: {filter}")
    return [each for each in found if all(_fits(each, part) for part in parts)]


def _fits(one: Json, part: str) -> bool:
    named = re.fullmatch(r'([A-Za-z.]+[a-z-]*)(:\*| = "([^"]*)"| eq "([^"]*)")', part)
    if named is None:
        raise Refusal(status=400, reason="invalid", message=f"Invalid list filter expression: {part}")
    field, operator, wanted, pattern = named.groups()
    top, _, rest = field.partition(".")
    value = one.get(top, {}).get(rest) if rest else one.get(top)
    if operator == ":*":
        return value is not None
    return re.fullmatch(pattern, str(value)) is not None if pattern else value == wanted


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gce: Gce

    def _any(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.gce.at_work:
            try:
                asked = self._read(data)
                self.gce.asked.append(asked)
                self.gce.seen += data + self.path.encode()
                self.gce.watch(asked, BEFORE)
                self._authorise(asked)
                self.gce.advance()
                if refusal := self.gce.refuse(asked):
                    raise refusal
                answer = self._routed(asked)
            except Refusal as refusal:
                status, answer = refusal.status, {"error": _error(refusal)}
            else:
                status = 200
                self.gce.watch(asked, AFTER)
        with contextlib.suppress(OSError):
            self._say(status, answer)

    do_GET = do_POST = do_DELETE = _any  # noqa: N815 - their names

    def _read(self, data: bytes) -> Asked:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix(BASE)
        for (verb, pattern), method in METHODS.items():
            if verb == self.command and (found := re.fullmatch(pattern, path)):
                return Asked(
                    number=len(self.gce.asked) + 1, method=method, named=found.groupdict(), user=self._user(),
                    query=dict(parse_qsl(parts.query)), body=json.loads(data) if data else {},
                )  # fmt: skip
        raise Refusal(status=404, reason="notFound", message=f"no such method: {self.command} {path}")

    def _user(self) -> str:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.gce.tokens and token.count(".") == 2:
            self.gce.tokens[token] = signer(token)
        return self.gce.tokens.get(token, "")

    def _authorise(self, asked: Asked) -> None:
        if not asked.user:
            raise Refusal(status=401, reason="authError", message="Request had invalid authentication credentials.")
        if asked.user != OWNER and asked.method != "instances.delete":
            raise Refusal(status=403, reason="forbidden", message=f"Required permission for {asked.method}")
        if asked.named["project"] not in {PROJECT, "deeplearning-platform-release"}:
            said = f"The resource 'projects/{asked.named['project']}' was not found"
            raise Refusal(status=404, reason="notFound", message=said)

    def _routed(self, asked: Asked) -> Json:  # noqa: PLR0911 - one a method
        gce, zone = self.gce, asked.named.get("zone")
        match asked.method:
            case "instances.insert":
                return gce.insert(asked)
            case "instances.delete":
                return gce.delete(asked)
            case "instances.get":
                return gce.instance(asked)
            case "serialPort":
                gce.instance(asked)
                return {"contents": gce.console, "start": "0", "next": str(len(gce.console))}
            case "zoneOperations.list":
                there = [each for each in gce.operations if zone_of(each) == zone]
                return {"items": matching(there, asked.query.get("filter", ""))}
            case "zoneOperations.get":
                return next(each for each in gce.operations if each["name"] == asked.named["name"])
            case "aggregatedList":
                return {"items": self._everywhere(asked)}
            case "images.getFromFamily":
                return {"name": f"{asked.named['family']}-v20261101", "family": asked.named["family"]}
        wanted = [{"metric": name, "limit": limit, "usage": 0.0} for name, limit in gce.quotas.items()]
        is_own = asked.method == "projects.get"
        return {"quotas": [each for each in wanted if (each["metric"] == "GPUS_ALL_REGIONS") == is_own]}

    def _everywhere(self, asked: Asked) -> Json:
        """By zone; a zone with nothing has a warning, as the real one has."""
        what, filter = asked.named["what"], asked.query.get("filter", "")
        known = {"machineTypes": TYPES, "acceleratorTypes": GPUS}.get(what)
        if known is None:
            found = matching({"instances": self.gce.instances, "operations": self.gce.operations}[what], filter)
            by_zone = {zone: [each for each in found if zone_of(each) == zone] for zone in ALL}
        else:
            named = {zone: [{"name": name} for name, zones in known.items() if zone in zones] for zone in ALL}
            by_zone = {zone: matching(each, filter) for zone, each in named.items()}
        nothing = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results"}}
        return {f"zones/{zone}": {what: each} if each else nothing for zone, each in by_zone.items()}

    def _say(self, status: int, answer: Json) -> None:
        body = json.dumps(shown(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: object) -> None:
        return


def shown(answer: Any) -> Any:
    """Without what the stand-in keeps to itself."""
    if isinstance(answer, dict):
        return {name: shown(value) for name, value in answer.items() if not name.startswith("-")}
    return [shown(each) for each in answer] if isinstance(answer, list) else answer


def _error(refusal: Refusal) -> Json:
    one = {"message": refusal.message, "domain": "global", "reason": refusal.reason}
    return {"code": refusal.status, "message": refusal.message, "errors": [one]}


def signer(token: str) -> str:
    """Whose key has signed a token that a service account makes for itself; nobody's, for any other."""
    from google.auth import exceptions, jwt

    try:
        claims = jwt.decode(token, certs=_public())
    except (ValueError, exceptions.GoogleAuthError):
        return ""
    return str(claims["iss"])


def _public() -> bytes:
    from cryptography.hazmat.primitives import serialization

    from tests.cloud.google_project import rsa_key

    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    found: bytes = rsa_key().public_key().public_bytes(serialization.Encoding.PEM, kind)
    return found


def key_file(path: Path) -> Path:
    """The key of the project's owner, where Google's client finds it by GOOGLE_APPLICATION_CREDENTIALS."""
    from cryptography.hazmat.primitives import serialization

    from tests.cloud.google_project import rsa_key

    pem = rsa_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    said = {
        "type": "service_account", "project_id": PROJECT, "private_key_id": "k", "private_key": pem.decode(),
        "client_email": OWNER, "client_id": "1", "token_uri": "http://127.0.0.1:1/token",
    }  # fmt: skip
    path.write_text(json.dumps(said))
    return path


@contextlib.contextmanager
def serving() -> Iterator[Gce]:
    found = Gce()
    handler = type("Bound", (Handler,), {"gce": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_address[1]}{BASE}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield found
        server.shutdown()
        thread.join()
