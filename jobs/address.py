"""Where a Docker engine is, and how it is known, by what the Docker command line goes by. Nobody is asked.

Which engine: the one that is named (`ssh://me@gpu-box`, `unix:///…`, `tcp://…`), else that of `DOCKER_HOST`, else that
of the context called `DOCKER_CONTEXT`, else of the command line's current context, else the socket of this machine.
What is found goes into the ledger, so that a session is asked after where it was started, whatever is current by then.

The files are Docker's: `config.json`, and of each context `contexts/meta/DIGEST/meta.json` and the folder
`contexts/tls/DIGEST/docker`, where DIGEST is the SHA-256 of its name (docker/cli, cli/context/store).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.errors import BadInputError

OWN = "npipe:////./pipe/docker_engine" if sys.platform == "win32" else "unix:///var/run/docker.sock"
SSH = "ssh://"
TCP = ("tcp://", "https://")
HERE = ("unix://", "npipe://")
DEFAULT = "default"
AUTHORITY, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"
_PASSWORD = re.compile(r"://[^/@]*:[^/]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files of TLS: of the authority that vouches for the engine, and the certificate and key that vouch for us.

    Without an `authority`, those that this machine trusts anyway may vouch; without `own`, nobody vouches for us.
    """

    authority: Path | None
    own: tuple[Path, Path] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A context of the Docker command line: its engine, and the certificates for it, if it has any."""

    name: str
    url: str
    certificates: Certificates | None
    is_verified: bool


def of(host: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The URL of the engine that is meant.

    Raises:
        BadInputError: the Docker command line's settings name no engine, or the URL holds a password.
    """
    url = host or environment.get("DOCKER_HOST") or _current(environment)
    if _PASSWORD.search(url):
        raise BadInputError(
            "the URL of a Docker engine holds no password", hint="a key of SSH, or files of TLS, let you in"
        )
    return url


def is_here(url: str) -> bool:
    """Whether the engine is on this machine: then it sees this machine's folders."""
    return url.startswith(HERE)


def certificates(url: str, environment: Mapping[str, str] = os.environ) -> Certificates | None:
    """What to open the engine at this URL with; `None` where it is spoken to without TLS.

    Those of the variables `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`, if `DOCKER_HOST` says that they are for this
    engine; else those of a context that leads to it; else those of the variables, as the Docker command line does it.

    Raises:
        BadInputError: the files are not there, or nobody is to vouch for the engine.
    """
    if not url.startswith(TCP):
        return None
    if environment.get("DOCKER_TLS_VERIFY") and environment.get("DOCKER_HOST") == url:
        return _of_variables(environment)
    for known in _contexts(environment):
        if known.url == url and known.certificates is not None:
            if not known.is_verified:
                raise BadInputError(
                    f'Docker\'s context "{known.name}" takes any engine for its own, and what a session is handed '
                    "would go there",
                    hint=f"docker context update {known.name} --docker host={url},ca=FILE,cert=FILE,key=FILE",
                )
            return known.certificates
    return _of_variables(environment) if environment.get("DOCKER_TLS_VERIFY") else None


def _current(environment: Mapping[str, str]) -> str:
    """The engine of the context that the Docker command line would use."""
    name = environment.get("DOCKER_CONTEXT") or _settings(environment).get("currentContext") or DEFAULT
    if name == DEFAULT:
        return OWN
    meta = _folder(environment) / "contexts" / "meta" / _digest(name) / "meta.json"
    if not meta.is_file():
        hint = "unset DOCKER_CONTEXT" if environment.get("DOCKER_CONTEXT") else "docker context use default"
        raise BadInputError(f'Docker\'s context "{name}" does not exist', hint=f"docker context ls; {hint}")
    return _known(environment, meta).url


def _contexts(environment: Mapping[str, str]) -> Iterator[_Known]:
    for meta in sorted((_folder(environment) / "contexts" / "meta").glob("*/meta.json")):
        yield _known(environment, meta)


def _known(environment: Mapping[str, str], meta: Path) -> _Known:
    try:
        said = _json(meta)
        name, engine = str(said["Name"]), said["Endpoints"]["docker"]
        url, is_verified = str(engine.get("Host") or OWN), not engine.get("SkipTLSVerify")
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(meta, f"{error} is not in it") from error
    files = _folder(environment) / "contexts" / "tls" / _digest(name) / "docker"
    has_any = any((files / one).is_file() for one in (AUTHORITY, CERTIFICATE))
    found = _certificates(files) if has_any else None
    return _Known(name=name, url=url, certificates=found, is_verified=is_verified)


def _of_variables(environment: Mapping[str, str]) -> Certificates:
    folder = Path(environment.get("DOCKER_CERT_PATH") or _folder(environment))
    found = _certificates(folder)
    if found.authority is None:
        raise BadInputError(
            f'DOCKER_TLS_VERIFY asks for certificates, and there is no "{folder / AUTHORITY}"',
            hint=f"DOCKER_CERT_PATH names the folder of {AUTHORITY}, {CERTIFICATE} and {KEY}",
        )
    return found


def _certificates(folder: Path) -> Certificates:
    authority, own = folder / AUTHORITY, (folder / CERTIFICATE, folder / KEY)
    return Certificates(
        authority=authority if authority.is_file() else None, own=own if all(one.is_file() for one in own) else None
    )


def _settings(environment: Mapping[str, str]) -> Mapping[str, Any]:
    path = _folder(environment) / "config.json"
    return _json(path) if path.is_file() else {}


def _folder(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(found, dict):
        raise _unreadable(path, "it is no table")
    return found


def _unreadable(path: Path, why: str) -> BadInputError:
    return BadInputError(f'Docker\'s own "{path}" cannot be read: {why}', hint="docker context use default")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
