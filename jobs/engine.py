"""A Docker engine, and what it answers, in this project's words: the one home of the `docker` package.

Which engine is meant, and with which certificates it is spoken to, `jobs.address` says.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
from collections.abc import Callable, Iterator

import docker
import urllib3
from docker import constants, tls, utils
from docker import errors as failures
from docker.transport import UnixHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from facegan.errors import BadInputError, FaceganError, UnreachableError
from jobs import address, dial

TIMEOUT_S = 60
CONFLICT = 409
HINTS = {
    "Permission denied": "may you use Docker? sudo usermod -aG docker $USER, and log in again",
    "No such file": "is Docker running? sudo systemctl start docker",
    "Connection refused": "is Docker running? sudo systemctl start docker",
    "HTTPS server": "it speaks TLS: DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or a context, say what to open it with",
    "CERTIFICATE_VERIFY_FAILED": "is ca.pem of the authority that signed the engine's certificate, for this very name?",
    "certificate required": "the engine asks who you are: cert.pem and key.pem lie beside ca.pem",
}


class MissingError(FaceganError):
    """The engine, answering, has no such thing."""


class ConflictError(FaceganError):
    """The engine has one of that name already, or is at work on it."""


class EngineError(FaceganError):
    """The engine answered that it will not or cannot."""


@functools.lru_cache
def connect(host: str | None) -> docker.DockerClient:
    """A client of that engine, which has answered: within a minute, or not at all. `None` for the one that is meant.

    Raises:
        BadInputError: the URL names no engine.
        UnreachableError: it does not answer; says what to look at.
    """
    url = address.of(host)
    _require_form(url)
    try:
        with errors(url):
            client = _logged_in(url) if url.startswith(address.SSH) else _direct(url)
            client.ping()
    except EngineError as error:
        raise UnreachableError(
            f"{_named(url)} does not answer as an engine does: {error.message}", hint=_hint(url, error.message)
        ) from error
    return client


def _direct(url: str) -> docker.DockerClient:
    found = address.certificates(url)
    if found is None:
        return _of_its_version(lambda version: docker.DockerClient(base_url=url, version=version, timeout=TIMEOUT_S))
    own = found.own and tuple(map(str, found.own))
    authority = None if found.authority is None else str(found.authority)
    secured = tls.TLSConfig(client_cert=own, ca_cert=authority, verify=True)

    def client(version: str) -> docker.DockerClient:
        made = docker.DockerClient(base_url=url, version=version, timeout=TIMEOUT_S, tls=secured)
        made.api.trust_env = False  # else REQUESTS_CA_BUNDLE says who vouches for the engine
        return made

    return _of_its_version(client)


def _logged_in(url: str) -> docker.DockerClient:
    """A client that speaks through `ssh`. To the SDK it is one of a socket here, of which only the opening differs."""

    def client(version: str) -> docker.DockerClient:
        made = docker.DockerClient(base_url="unix:///ssh", version=version, timeout=TIMEOUT_S)
        made.api.mount("http+docker://", _SshAdapter(url))
        return made

    return _of_its_version(client)


def _of_its_version(client: Callable[[str], docker.DockerClient]) -> docker.DockerClient:
    """One that speaks the engine's version of the API.

    Left to itself the SDK asks for it before a client is set up, and keeps to itself what a door that is none answers.
    """
    return client(client(constants.DEFAULT_DOCKER_API_VERSION).version(api_version=False)["ApiVersion"])


class _SshConnection(HTTPConnection):
    """A connection to the engine through a login of its own, which ends with it."""

    def __init__(self, url: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._url = url
        self._line: dial.Line | None = None

    def connect(self) -> None:
        self._line = dial.Line(self._url)
        self.sock = self._line.socket
        self.sock.settimeout(self.timeout)

    def close(self) -> None:
        super().close()
        if self._line is not None:
            self._line.end()
            self._line = None


class _SshPool(HTTPConnectionPool):
    """Connections through `ssh`, kept for the next question: a login takes its time."""

    def __init__(self, url: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._url = url

    def _new_conn(self) -> _SshConnection:
        return _SshConnection(self._url)


class _SshAdapter(UnixHTTPAdapter):  # type: ignore[misc]  # the SDK has no types
    """As for a socket here, but for one line: what opens a connection."""

    def __init__(self, url: str) -> None:
        super().__init__("http+unix:///ssh", TIMEOUT_S)
        self._pool = _SshPool(url)

    def get_connection(self, url: str, proxies: object = None) -> _SshPool:
        del url, proxies
        return self._pool

    def close(self) -> None:
        super().close()
        self._pool.close()


@contextlib.contextmanager
def errors(url: str | None = None) -> Iterator[None]:
    """Say what the engine said.

    Raises:
        MissingError: it has no such thing.
        ConflictError: it has one already.
        EngineError: it refuses.
        UnreachableError: it does not answer.
    """
    try:
        yield
    except failures.NotFound as error:
        raise MissingError(_said(error)) from error
    except failures.APIError as error:
        if error.status_code == CONFLICT:
            raise ConflictError(_said(error)) from error
        raise EngineError(_said(error)) from error
    except (failures.InvalidArgument, failures.TLSParameterError, failures.InvalidRepository) as error:
        raise BadInputError(str(error)) from error
    except _BROKEN as error:
        connect.cache_clear()  # a connection that broke is not used again
        said = _root(error)
        raise UnreachableError(f"{_named(url)} does not answer: {said}", hint=_hint(url, said)) from error


_BROKEN = (
    OSError,  # a broken connection is one, and so is what `requests` raises
    failures.DockerException,
    failures.StreamParseError,  # the last word of what was told was cut off
    http.client.HTTPException,
    urllib3.exceptions.HTTPError,  # as it comes from a stream that breaks in the middle
)


def _named(url: str | None) -> str:
    return "the Docker engine of this machine" if url in {None, address.OWN} else f'the Docker engine at "{url}"'


def _require_form(url: str) -> None:
    """Refuse what is no URL of an engine, before anybody is asked."""
    try:
        utils.parse_host(url)
    except (failures.DockerException, ValueError) as error:
        raise BadInputError(
            f'"{url}" names no Docker engine',
            hint="write ssh://me@machine, unix:///path/of/its.sock or tcp://host:2376",
        ) from error


def _said(error: failures.APIError) -> str:
    return str(error.explanation or error).strip()


def _root(error: BaseException) -> str:
    """What was wrong in the first place: the libraries write each cause into the next."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _hint(url: str | None, said: str) -> str:
    if url is not None and url.startswith(address.SSH):
        return f"this must answer without a password: ssh {url} docker version"
    return next((hint for sign, hint in HINTS.items() if sign in said), "docker version says whether it answers")
