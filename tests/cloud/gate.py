"""A gate in front of moto that does what AWS does and moto does not: it holds every request against policies.

The policies are read here by other code than made them, condition keys included: whoever signs a request may
do what the policies of its key say, and a federated user or a taken role what both its maker's and its own
say. The gate learns the latter from the very requests by which they are minted, so that what is enforced is
what was asked of AWS. What it does not check is signatures: it believes the name of a key.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Policy = Mapping[str, Any]
ACCOUNT = "123456789012"
EVERYTHING: Policy = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
OF_A_BUCKET = {
    "versioning": "s3:GetBucketVersioning",
    "publicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "lifecycle": "s3:GetLifecycleConfiguration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request wants, in the words of policies."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Gate:
    """Who may do what: policies by access key, all of which must allow a request. `refused` is what one did not.

    A key in `expire_after` is good for so many more requests; one in `expired` for none.
    """

    upstream: str
    url: str = ""
    policies: dict[str, list[Policy]] = field(default_factory=dict)
    roles: dict[str, Policy] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    expire_after: dict[str, int] = field(default_factory=dict)
    asked: list[Wish] = field(default_factory=list)
    refused: list[Wish] = field(default_factory=list)
    minted: list[Mapping[str, str]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def allows(self, key: str, wish: Wish) -> bool:
        return key in self.policies and all(allows(policy, wish) for policy in self.policies[key])


@contextlib.contextmanager
def gate(upstream: str) -> Iterator[Gate]:
    found = Gate(upstream=upstream)
    handler = type("Bound", (_Handler,), {"gate": found, "numbers": itertools.count(1)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield found
        server.shutdown()


def allows(policy: Policy, wish: Wish) -> bool:
    """What IAM decides: something must allow it, and nothing deny it."""
    applying = [statement["Effect"] for statement in policy["Statement"] if _applies(statement, wish)]
    return "Allow" in applying and "Deny" not in applying


def _applies(statement: Mapping[str, Any], wish: Wish) -> bool:
    return (
        any(_like(pattern.lower(), wish.action.lower()) for pattern in _all_of(statement["Action"]))
        and any(_like(pattern, wish.resource) for pattern in _all_of(statement["Resource"]))
        and all(
            _holds(operator, key, _all_of(values), wish.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, key: str, values: list[str], context: Mapping[str, str]) -> bool:
    if operator == "Null":
        return values == [str(key not in context).lower()]
    if operator == "StringLike":
        return key in context and any(_like(value, context[key]) for value in values)
    raise NotImplementedError(operator)


def _like(pattern: str, text: str) -> bool:
    """`*` and `?` stand for anything; `${*}`, `${?}` and `${$}` for the letters themselves."""
    wild = {"*": ".*", "?": "."}
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    expression = "".join(wild.get(part) or re.escape(part[2] if part.startswith("${") else part) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _all_of(one_or_many: str | list[str]) -> list[str]:
    return [one_or_many] if isinstance(one_or_many, str) else one_or_many


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every body waits for the other side's delayed word on its head
    gate: Gate
    numbers: Iterator[int]

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization", ""))
        name = key[1] if key else ""
        if self.gate.expire_after.get(name) == 0:
            self.gate.expired.add(name)
        elif name in self.gate.expire_after:
            self.gate.expire_after[name] -= 1
        if name in self.gate.expired:
            self._refuse(400, "ExpiredToken", "The provided token has expired.")
        elif self.headers.get("X-Amz-Security-Token", "") != self.gate.tokens.get(name, ""):
            self._refuse(400, "InvalidToken", "The provided token is malformed.")
        elif self.command == "POST" and self.path == "/":
            self._mint(name, body)
        else:
            self._pass(name, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _any  # noqa: N815 - their names

    def _pass(self, name: str, body: bytes) -> None:
        wish = self._wish()
        self.gate.asked.append(wish)
        if not self.gate.allows(name, wish):
            self.gate.refused.append(wish)
            self._refuse(403, "AccessDenied", "Access Denied")
            return
        status, headers, answer = self._ask(body)
        if status == 404 and wish.action == "s3:GetObject":
            bucket = wish.resource.partition("/")[0]
            if not self.gate.allows(name, Wish(action="s3:ListBucket", resource=bucket)):
                self._refuse(403, "AccessDenied", "Access Denied")  # nobody is told what is not there
                return
        self._send(status, headers, answer)

    def _wish(self) -> Wish:
        path, _, query = self.path.partition("?")
        asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        bucket, _, name = unquote(path).lstrip("/").partition("/")
        arn = f"arn:aws:s3:::{bucket}"
        if self.command == "POST" and "delete" in asked:
            return Wish(action="s3:DeleteObject", resource=f"{arn}/*")
        if not bucket:
            return Wish(action="s3:ListAllMyBuckets", resource="*")
        if not name:
            action = next((OF_A_BUCKET[part] for part in asked if part in OF_A_BUCKET), "s3:ListBucket")
            return Wish(
                action=action, resource=arn, context={"s3:prefix": asked["prefix"]} if "prefix" in asked else {}
            )
        action = {
            "GET": "s3:GetObject",
            "HEAD": "s3:GetObject",
            "PUT": "s3:PutObject",
            "DELETE": "s3:DeleteObject",
        }.get(self.command, "s3:PutObject")
        header = self.headers.get("If-None-Match")
        return Wish(action=action, resource=f"{arn}/{name}", context={"s3:if-none-match": header} if header else {})

    def _mint(self, name: str, body: bytes) -> None:
        """Ask moto, which checks what is asked for, and note what the new key may do."""
        asked = {field: values[0] for field, values in parse_qs(body.decode()).items()}
        if asked["Action"] == "AssumeRole":
            wish = Wish(action="sts:AssumeRole", resource=asked["RoleArn"])
            of_maker = [self.gate.roles.get(asked["RoleArn"], {"Statement": []})]
        else:
            wish = Wish(
                action="sts:GetFederationToken", resource=f"arn:aws:sts::{ACCOUNT}:federated-user/{asked['Name']}"
            )
            of_maker = self.gate.policies.get(name, [])
        if not self.gate.allows(name, wish):
            self._refuse(403, "AccessDenied", "Access Denied")
            return
        status, headers, answer = self._ask(body)
        if status == 200:
            made, token = f"ASIA{next(self.numbers):016d}", f"token of {next(self.numbers)}"
            self.gate.minted.append(asked)
            self.gate.policies[made] = [*of_maker, json.loads(asked["Policy"])]
            self.gate.tokens[made] = token
            answer = re.sub(rb"(<AccessKeyId>)[^<]+", rb"\g<1>" + made.encode(), answer)
            answer = re.sub(rb"(<SessionToken>)[^<]+", rb"\g<1>" + token.encode(), answer)
        self._send(status, headers, answer)

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"expect", "host"}}
        upstream = http.client.HTTPConnection(urlsplit(self.gate.upstream).netloc, timeout=60)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body=body or None, headers=headers)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _refuse(self, status: int, code: str, message: str) -> None:
        inner = f"<Code>{code}</Code><Message>{message}</Message>"
        is_sts = self.command == "POST" and self.path == "/"
        xml = f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>" if is_sts else f"<Error>{inner}</Error>"
        self._send(status, [("Content-Type", "application/xml")], xml.encode())

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_what: object) -> None:
        return
