"""A Docker engine, and what it answers, in this project's words: the one home of the `docker` package.

Which engine: the one that is named (`ssh://me@gpu-box`, `unix:///…`, `tcp://…`), else that of `DOCKER_HOST`, else that
of the Docker command line's current context, else the socket of this machine.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator

import docker
from docker import errors as failures
from docker import utils
from docker.context import ContextAPI

from facegan.errors import BadInputError, FaceganError, UnreachableError

TIMEOUT_S = 60
CONFLICT = 409
SSH = "ssh://"
_PASSWORD = re.compile(r"://[^/@]*:[^/]*@")
HINTS = {
    "Permission denied": "may you use Docker? sudo usermod -aG docker $USER, and log in again",
    "No such file": "is Docker running? sudo systemctl start docker",
    "Connection refused": "is Docker running? sudo systemctl start docker",
}


class MissingError(FaceganError):
    """The engine, answering, has no such thing."""


class ConflictError(FaceganError):
    """The engine has one of that name already, or is at work on it."""


class EngineError(FaceganError):
    """The engine answered that it will not or cannot."""


def address(host: str | None) -> str | None:
    """The URL of the engine that is meant; `None` for the socket of this machine.

    Raises:
        BadInputError: the Docker command line's settings name no engine.
    """
    if host or (host := os.environ.get("DOCKER_HOST")):
        return host
    try:
        current = ContextAPI.get_current_context()
    except Exception as error:  # the SDK raises no narrower one for a file that it cannot read
        raise BadInputError(
            f"Docker's current context cannot be read: {error}", hint="docker context use default"
        ) from error
    if current is None:
        raise BadInputError("Docker's current context does not exist", hint="docker context use default")
    found: str | None = None if current.name == "default" else current.Host
    return found


@functools.lru_cache
def connect(host: str | None) -> docker.DockerClient:
    """A client of that engine, which has answered.

    Raises:
        BadInputError: the URL names no engine.
        UnreachableError: it does not answer; says what to look at.
    """
    url = address(host)
    _require_form(url)
    try:
        with errors(url):
            client = docker.DockerClient(
                base_url=url, version="auto", timeout=TIMEOUT_S, use_ssh_client=bool(url and url.startswith(SSH))
            )
            client.ping()
    except EngineError as error:
        raise UnreachableError(error.message, hint=error.hint) from error
    return client


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
    except (failures.DockerException, OSError) as error:  # a broken connection is an OSError
        connect.cache_clear()  # a connection that broke is not used again
        where = f'the Docker engine at "{url}"' if url else "the Docker engine of this machine"
        said = _root(error)
        raise UnreachableError(f"{where} does not answer: {said}", hint=_hint(url, said)) from error


def _require_form(url: str | None) -> None:
    """Refuse what is no URL of an engine, before anybody is asked. It is written down, and so holds no password."""
    if url is not None and _PASSWORD.search(url):
        raise BadInputError(
            "the URL of a Docker engine holds no password", hint="a key of SSH, or files of TLS, let you in"
        )
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
    if url is not None and url.startswith(SSH):
        return f"this must answer without a password: ssh {url} docker version"
    return next((hint for sign, hint in HINTS.items() if sign in said), "docker version says whether it answers")
