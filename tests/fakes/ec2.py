"""EC2 as moto plays it, in this process, where a test sees each request, refuses it, and kills whoever sent it.

What moto does not know is refused here as EC2 does: a request that is too large, or asks for a machine in two zones.
Machines do nothing by themselves: `Ec2.end` has one end, for the reason that EC2 would give.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.cloud import servers

ACCOUNT = "123456789012"
REGION = "us-east-1"
LARGEST_USER_DATA = 16_384
BEFORE, AFTER = "before", "after"
STATUS = {  # "Server error codes", in the EC2 API Reference
    "InternalError": "500 Internal Server Error",
    "InsufficientAddressCapacity": "500 Internal Server Error",
    "InsufficientCapacity": "500 Internal Server Error",
    "InsufficientHostCapacity": "500 Internal Server Error",
    "InsufficientInstanceCapacity": "500 Internal Server Error",
    "InsufficientReservedInstanceCapacity": "500 Internal Server Error",
    "Unavailable": "503 Service Unavailable",
}
ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>'
    "</Error></Errors><RequestID>r</RequestID></Response>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: what was asked for, and with what."""

    number: int
    action: str
    parameters: dict[str, str]

    @property
    def where(self) -> tuple[str, str]:
        """Type and zone of a machine that was asked for."""
        return self.parameters["InstanceType"], self.parameters["Placement.AvailabilityZone"]

    @property
    def user_data(self) -> str:
        return base64.b64decode(self.parameters["UserData"]).decode()


@dataclass(kw_only=True)
class Ec2:
    """An account with the role of sessions, an AMI under the parameter `/facegan/ami`, and no machine."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    refuse: Callable[[Asked], str | None] = lambda _asked: None
    watch: Callable[[Asked, str], object] = lambda _asked, _when: None
    console: str = ""
    seen: bytearray = field(default_factory=bytearray)
    at_work: Any = field(default_factory=threading.Lock)

    def begin_anew(self) -> None:
        """No machine, nothing in the bucket, and nothing that a test has changed."""
        from moto.backends import get_backend
        from moto.ec2.models import ec2_backends

        for region in ec2_backends[ACCOUNT].values():
            region.reservations.clear()
            region.volumes.clear()
        for service in ("iam", "s3", "ecr", "ssm"):
            get_backend(service).reset()
        fill(self)
        self.asked.clear()
        self.seen.clear()
        self.console = ""
        self.refuse, self.watch = lambda _asked: None, lambda _asked, _when: None

    def empty(self) -> None:
        """Not even a role, or a bucket: only the AMI's parameter stays, which nobody can make."""
        from moto.backends import get_backend

        for service in ("iam", "s3", "ecr", "ssm"):
            get_backend(service).reset()
        name_ami(client_of(self))

    def actions(self) -> list[str]:
        return [each.action for each in self.asked]

    def ran(self) -> list[Asked]:
        return [each for each in self.asked if each.action == "RunInstances"]

    def machines(self) -> list[Any]:
        """Every machine there ever was, in any region, as moto has them."""
        from moto.ec2.models import ec2_backends

        found = [each for region in ec2_backends[ACCOUNT].values() for each in region.reservations.values()]
        return [one for reservation in found for one in reservation.instances]

    def age(self, seconds: float) -> None:
        """Every machine is older by that much."""
        for machine in self.machines():
            machine.launch_time -= timedelta(seconds=seconds)

    def end(self, state: str = "terminated", code: str = "", message: str = "") -> None:
        """The one machine that lives is in this state now, for this reason."""
        (one,) = [each for each in self.machines() if each._state.name in {"pending", "running"}]
        if state == "terminated":
            one.terminate()  # with its volume
        one._state.name, one._state.code = state, {"terminated": 48, "stopped": 80, "shutting-down": 32}.get(state, 99)
        one.state_reason.code, one.state_reason.message = code, message


class Front:
    """Stands before moto: one request after the other."""

    def __init__(self, fake: Ec2, app: Callable[..., Iterable[bytes]]) -> None:
        self._fake, self._app = fake, app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        with self._fake.at_work:
            asked = _read(environ, body, len(self._fake.asked) + 1)
            if asked is None:
                return list(self._app(environ, start))
            self._fake.asked.append(asked)
            self._fake.seen += body
            self._fake.watch(asked, BEFORE)
            answer = self._answer(asked, environ, start)
            self._fake.watch(asked, AFTER)
            return answer

    def _answer(self, asked: Asked, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        code = self._fake.refuse(asked) or _refused(asked)
        if code is not None:
            status = STATUS.get(code, "400 Bad Request")
            if environ.get("PATH_INFO", "").startswith("/v1/"):
                start(status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)])
                return [json.dumps({"message": f"{code}, in Batch's words."}).encode()]
            start(status, [("Content-Type", "text/xml")])
            return [ERROR.format(code=code, message=f"{code}, in EC2's words.").encode()]
        if asked.action == "GetConsoleOutput":
            start("200 OK", [("Content-Type", "text/xml")])
            said = base64.b64encode(self._fake.console.encode()).decode()
            return [f"<GetConsoleOutputResponse><output>{said}</output></GetConsoleOutputResponse>".encode()]
        return list(self._app(environ, start))


def _read(environ: dict[str, Any], body: bytes, number: int) -> Asked | None:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return Asked(number=number, action=target.rpartition(".")[2], parameters={"": body.decode()})
    path = environ.get("PATH_INFO", "")
    if path.startswith("/v1/") and environ["REQUEST_METHOD"] == "POST":  # Batch's own way to ask
        return Asked(number=number, action=path.removeprefix("/v1/"), parameters={"": body.decode()})
    said = dict(urllib.parse.parse_qsl(body.decode(errors="replace")))
    return Asked(number=number, action=said["Action"], parameters=said) if "Action" in said else None


def _refused(asked: Asked) -> str | None:
    if asked.action == "RunInstances" and len(asked.user_data.encode()) > LARGEST_USER_DATA:
        return "InvalidUserData"
    return None


@contextlib.contextmanager
def serving() -> Iterator[Ec2]:
    """The account; every other service of moto's is there as well."""
    servers.require("moto", "flask", "boto3")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_what: Any) -> None:
            return

    fake = Ec2()
    front = Front(fake, DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=Silent)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        fake.begin_anew()  # moto's services are this process': another stand-in may have filled them
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fill(fake: Ec2) -> None:
    """What every test finds there."""
    of = client_of(fake)
    name_ami(of)
    trust = '{"Version": "2012-10-17", "Statement": []}'
    of("iam").create_role(RoleName="facegan-session", AssumeRolePolicyDocument=trust)
    of("iam").create_instance_profile(InstanceProfileName="facegan-session")
    of("iam").add_role_to_instance_profile(InstanceProfileName="facegan-session", RoleName="facegan-session")
    of("s3").create_bucket(Bucket=servers.BUCKET)


def name_ami(of: Callable[..., Any]) -> None:
    of("ssm").put_parameter(Name="/facegan/ami", Value=ami(), Type="String", Overwrite=True)


@functools.cache
def ami(region: str = REGION) -> str:
    """One of those that moto knows there."""
    from moto.ec2.models import ec2_backends

    return str(next(iter(ec2_backends[ACCOUNT][region].amis)))


def client_of(fake: Ec2) -> Callable[..., Any]:
    """Clients of the account: by their service, and by a region other than the usual."""
    return lambda service, region=REGION: _client(fake.url, service, region)


@functools.cache
def _client(url: str, service: str, region: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return boto3.session.Session(**keys).client(service, endpoint_url=url, region_name=region)
