"""Tracking URIs: which are understood, and what of them may be written down."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import Path

from facegan.errors import BadInputError

SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql")
_USER_INFO = re.compile(r"(?<=://)(?!/)[^\s'\"]*@")  # to the last "@": a password may hold what URLs may not


def check(uri: str) -> str:
    """The tracking URI itself, when it is one.

    Raises:
        BadInputError: no such kind of server, or a database without a file.
    """
    scheme = uri.partition("://")[0].partition("+")[0]
    if "://" not in uri or scheme not in SCHEMES or (scheme == "sqlite" and database(uri) is None):
        raise BadInputError(
            f'"{without_credentials(uri)}" is not the address of an MLflow server',
            hint=f"it begins with one of {', '.join(f'{name}://' for name in SCHEMES)}, "
            "for example sqlite:////data/mlflow.db",
        )
    return uri


def database(uri: str) -> Path | None:
    """The file of a SQLite database; `None` for anything else."""
    scheme, _, rest = uri.partition("://")
    if scheme.partition("+")[0] != "sqlite":
        return None
    path = rest.partition("?")[0].removeprefix("/")
    return None if path in {"", ":memory:"} else Path(path).resolve()


def name(uri: str) -> str:
    """What the server is called where others can read it: no user, no password, no options.

    A SQLite database is called by its file, so that it has one name from whichever folder it is opened.
    """
    file = database(uri)
    if file is not None:
        return file.as_uri()
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def artifact_root(uri: str, asked: str | None) -> str | None:
    """Where artifacts of new experiments go: `None` leaves it to the server.

    MLflow's own default for a local database would be a folder wherever the process happens to run.
    """
    if asked is None:
        file = database(uri)
        return None if file is None else (file.parent / "artifacts").as_uri()
    return asked.rstrip("/") if "://" in asked else Path(asked).resolve().as_uri()


def without_credentials(text: str) -> str:
    """The text with the user and password of every URL in it left out."""
    return _USER_INFO.sub("", text)
