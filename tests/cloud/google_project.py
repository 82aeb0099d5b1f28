"""A Google Cloud project as its documentation describes it: service accounts, their keys, tokens, a bucket's policy.

It executes what it is sent and refuses what Google would: a token it did not issue or whose key was deleted, a
path or a body that is not the API's, a condition without version 3, an etag that is not the newest, a member
that does not exist or was made a moment ago. Who may do what to an object is decided by reading the bucket's
policy with a reader of its own.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

Json = dict[str, Any]
PROJECT = "a-project"
OWNER = f"owner@{PROJECT}.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"
MOST_OPERATORS = 12  # of a condition
PAGE = 2
PERMISSIONS = {
    "roles/storage.objectViewer": {"storage.objects.get", "storage.objects.list"},
    "roles/storage.objectCreator": {"storage.objects.create"},
    "roles/storage.objectUser": {
        "storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete",
        "storage.objects.update",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Exception):  # noqa: N818 - an answer
    status: int
    message: str


@dataclass(kw_only=True)
class Project:
    """What there is in the project. `interrupting` is called before a policy is replaced: somebody else's turn."""

    bucket: str
    url: str = ""
    accounts: dict[str, Json] = field(default_factory=dict)
    keys: dict[str, tuple[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    bindings: list[Json] = field(default_factory=list)
    settings: Json = field(default_factory=dict)
    etag: int = 1
    unknown_yet: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    interrupting: list[Any] = field(default_factory=list)

    def add_account(self, email: str, about: Json) -> Json:
        self.accounts[email] = {"name": f"projects/{PROJECT}/serviceAccounts/{email}", "email": email, **about}
        return self.accounts[email]

    def add_key(self, email: str) -> Json:
        """A key of the account, as the file that Google gives out once."""
        name, private = f"key-{next(self.numbers)}", rsa_key()
        self.keys[name] = (email, private)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return {
            "type": "service_account", "project_id": PROJECT, "private_key_id": name, "private_key": pem.decode(),
            "client_email": email, "client_id": "1", "token_uri": f"{self.url}/token",
        }  # fmt: skip

    def may(self, email: str, permission: str, name: str) -> bool:
        """Whether the bucket's policy gives the account this permission on an object, or a listing below a prefix."""
        is_list = permission == "storage.objects.list"
        resource = f"projects/_/buckets/{self.bucket}" + ("" if is_list else f"/objects/{name}")
        return email in self.accounts and any(
            f"serviceAccount:{email}" in binding["members"]
            and permission in PERMISSIONS[binding["role"]]
            and holds(binding.get("condition", {}).get("expression", ""), resource, name if is_list else "")
            for binding in self.bindings
        )


@functools.cache
def rsa_key() -> Any:
    """One for all: to make one takes longer than all that is done with it."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def holds(expression: str, resource: str, listed: str) -> bool:
    """What a condition says of a request."""
    if not expression:
        return True
    if "||" in expression:
        return any(holds(part.strip(), resource, listed) for part in expression.split("||"))
    if "&&" in expression:
        return all(holds(part.strip(), resource, listed) for part in expression.split("&&"))
    text = r'("(?:[^"\\]|\\.)*")'
    if found := re.fullmatch(rf"resource\.name\.startsWith\({text}\)", expression):
        return resource.startswith(json.loads(found[1]))
    attribute = r'api\.getAttribute\("storage\.googleapis\.com/objectListPrefix", ""\)'
    if found := re.fullmatch(rf"{attribute}\.startsWith\({text}\)", expression):
        return listed.startswith(json.loads(found[1]))
    if expression == 'resource.name.extract("/ledger/{entry}") == ""':
        return not resource.partition("/ledger/")[2]
    raise NotImplementedError(expression)


@contextlib.contextmanager
def project(bucket: str) -> Iterator[Project]:
    found = Project(bucket=bucket)
    handler = type("Bound", (_Handler,), {"project": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        found.add_account(OWNER, {})
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield found
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    project: Project

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, query = unquote(urlsplit(self.path).path), parse_qs(urlsplit(self.path).query)
        self.project.asked.append(f"{self.command} {path}")
        try:
            if path == "/token":
                answer = self._token(parse_qs(body.decode()))
            else:
                self._require_owner()
                answer = self._routed(path, query, json.loads(body) if body else {})
            self._send(200, answer)
        except Refusal as refusal:
            self._send(refusal.status, {"error": {"code": refusal.status, "message": refusal.message}})

    do_GET = do_PUT = do_POST = do_DELETE = _any  # noqa: N815 - their names

    def _token(self, form: Mapping[str, Sequence[str]]) -> Json:
        if form["grant_type"] != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
            raise Refusal(status=400, message="unsupported_grant_type")
        assertion = form["assertion"][0]
        name = jwt.decode_header(assertion)["kid"]
        email, private = self.project.keys.get(name, ("", None))
        if email not in self.project.accounts:
            raise Refusal(status=400, message="invalid_grant")
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        claims = jwt.decode(assertion, certs=public, audience=AUDIENCE)
        assert claims["iss"] == email
        token = f"ya29.{next(self.project.numbers)}"
        self.project.tokens[token] = email
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def _require_owner(self) -> None:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        email = self.project.tokens.get(token)
        if kind != "Bearer" or email not in self.project.accounts:
            raise Refusal(status=401, message="Request had invalid authentication credentials.")
        if email != OWNER or self.command in self.project.forbidden:
            raise Refusal(status=403, message="Permission denied on resource.")

    def _routed(self, path: str, query: Mapping[str, Sequence[str]], body: Json) -> Json:  # noqa: PLR0911 - one a method
        accounts, bucket = f"/v1/projects/{PROJECT}/serviceAccounts", f"/storage/v1/b/{self.project.bucket}"
        if (self.command, path) == ("GET", accounts):
            return self._list(int(query.get("pageToken", ["0"])[0]))
        if (self.command, path) == ("POST", accounts):
            return self._create(body)
        if (self.command, path) == ("GET", bucket):
            return {"iamConfiguration": self.project.settings}
        if (self.command, path) == ("GET", f"{bucket}/iam"):
            wanted = int(query.get("optionsRequestedPolicyVersion", ["1"])[0])
            conditional = any("condition" in binding for binding in self.project.bindings)
            if conditional and wanted < 3:
                raise Refusal(status=400, message="Requested policy version is too low.")
            return {
                "kind": "storage#policy", "version": 3 if conditional else 1, "bindings": self.project.bindings,
                "etag": f"etag-{self.project.etag}",
            }  # fmt: skip
        if (self.command, path) == ("PUT", f"{bucket}/iam"):
            return self._replace(body)
        email, _, rest = path.removeprefix(f"{accounts}/").partition("/")
        if not path.startswith(f"{accounts}/") or email not in self.project.accounts:
            raise Refusal(status=404, message=f"Unknown service account: {path}")
        if (self.command, rest) == ("POST", "keys"):
            made = self.project.add_key(email)
            name = f"projects/{PROJECT}/serviceAccounts/{email}/keys/{made['private_key_id']}"
            return {"name": name, "privateKeyData": base64.b64encode(json.dumps(made).encode()).decode()}
        if (self.command, rest) == ("DELETE", ""):
            del self.project.accounts[email]
            return {}
        raise Refusal(status=404, message=f"no such method: {self.command} {path}")

    def _list(self, begin: int) -> Json:
        every = sorted(self.project.accounts.values(), key=lambda account: account["email"])
        page = {"accounts": every[begin : begin + PAGE]}
        return page if begin + PAGE >= len(every) else {**page, "nextPageToken": str(begin + PAGE)}

    def _create(self, body: Json) -> Json:
        name, about = body["accountId"], body["serviceAccount"]
        if not re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", name) or set(body) != {"accountId", "serviceAccount"}:
            raise Refusal(status=400, message="Invalid account id.")
        if len(about["displayName"]) > 100 or len(about["description"]) > 256:
            raise Refusal(status=400, message="Too long.")
        email = f"{name}@{PROJECT}.iam.gserviceaccount.com"
        if email in self.project.accounts:
            raise Refusal(status=409, message=f"Service account {name} already exists")
        self.project.unknown_yet.add(f"serviceAccount:{email}")
        return self.project.add_account(email, about)

    def _replace(self, body: Json) -> Json:
        if self.project.interrupting:
            self.project.interrupting.pop()()
        if body.get("etag") != f"etag-{self.project.etag}":
            raise Refusal(status=412, message="At least one of the pre-conditions you specified did not hold.")
        for binding in body["bindings"]:
            condition = binding.get("condition")
            if condition is not None and body.get("version") != 3:
                raise Refusal(status=400, message="Conditions need version 3.")
            if condition is not None and not (condition["title"] and self._is_short(condition["expression"])):
                raise Refusal(status=400, message="Invalid condition.")
            if binding["role"] not in PERMISSIONS or not binding["members"]:
                raise Refusal(status=400, message="Invalid binding.")
            for member in binding["members"]:
                self._require_member(member)
        self.project.bindings, self.project.etag = body["bindings"], self.project.etag + 1
        return body

    def _is_short(self, expression: str) -> bool:
        return expression.count("||") + expression.count("&&") <= MOST_OPERATORS

    def _require_member(self, member: str) -> None:
        kind, _, email = member.partition(":")
        if member in self.project.unknown_yet:
            self.project.unknown_yet.remove(member)  # at the next try it is known
            raise Refusal(status=400, message=f"Service account {email} does not exist.")
        if kind == "serviceAccount" and email not in self.project.accounts:
            raise Refusal(status=400, message=f"Service account {email} does not exist.")

    def _send(self, status: int, answer: Json) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: object) -> None:
        return
