"""What a session that was started elsewhere is handed: one file, secret, and its owner's alone.

Whoever starts a session on somebody else's machine puts this file where only the session can read it: into a
container's own volume, a private data set. Nothing of it is in an argument or a label, nor in a variable of the
container, but where a place's own secrets come as variables and in no other way.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from facegan.errors import BadInputError
from facegan.experiment import Json

RESUME = "facegan-job resume RUN"
VARIABLE = "FACEGAN_HANDED"  # where it is in a variable
EXPIRY_MARGIN = timedelta(minutes=2)  # clocks differ, and a last request takes its time
NOT_WHOLE = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who started a process: a backend, which of its engines, regions or accounts, and its ref there.

    A session that has to ask for a number of its own says it in its `intent`: else nobody could find out whether
    it lives.
    """

    backend: str = "hand"
    host: str | None = None
    ref: Json | None = None


HAND = Origin()
"""A person who typed `python -m facegan run`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """`files` by the variable that must name their place; `grace_s` is how long the session may take to stop.

    `gpu` is the name of the GPU that was asked for, `None` for none; `budget_s` how long the place lets the process
    run, counted from its start, where it has such a limit. `cloud` is whose metadata service says when the machine
    is taken back (`facegan.preemption.CLOUDS`), `None` where there is none. `source` is where on the session's machine
    its data are prepared from, as long as nobody has. `found` is what whoever started it found on the machine, for the
    ledger: its GPUs and their driver. `until` is when the credentials end by themselves; `None` for never.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    origin: Origin = HAND
    grace_s: float | None = None
    gpu: str | None = None
    budget_s: float | None = None
    cloud: str | None = None
    source: Path | None = None
    found: Json = field(default_factory=dict)
    until: datetime | None = None

    def left_s(self, now: datetime) -> float | None:
        """For how many seconds the credentials are to be used: the last checkpoint needs them too."""
        return None if self.until is None else (self.until - now - EXPIRY_MARGIN).total_seconds()


def to_bytes(handed: Handed) -> bytes:
    origin = handed.origin
    return json.dumps(
        {
            "environment": dict(handed.environment),
            "files": {name: base64.b64encode(data).decode() for name, data in handed.files.items()},
            "backend": origin.backend,
            "host": origin.host,
            "ref": origin.ref,
            "grace_s": handed.grace_s,
            "gpu": handed.gpu,
            "budget_s": handed.budget_s,
            "source": None if handed.source is None else str(handed.source),
            "cloud": handed.cloud,
            "found": dict(handed.found),
            "until": None if handed.until is None else handed.until.isoformat(),
        }
    ).encode()


def read(path: Path) -> Handed:
    """The inverse of `to_bytes`.

    Raises:
        BadInputError: the file is not there, or not whole. What is in it is not said.
    """
    try:
        return _parse(path.read_bytes())
    except OSError as error:
        raise BadInputError(
            f'what the session was handed, "{path}", cannot be read: {error.strerror}', hint=RESUME
        ) from error
    except NOT_WHOLE:
        raise BadInputError(f'what the session was handed, "{path}", is not whole', hint=RESUME) from None


def to_text(handed: Handed) -> str:
    """For places that have no file for it, and keep a variable secret."""
    return base64.b64encode(to_bytes(handed)).decode()


def take(name: str, environment: MutableMapping[str, str]) -> Handed:
    """The inverse of `to_text`, from a variable that no process begun from here on inherits.

    Raises:
        BadInputError: it is not set, or not whole. What is in it is not said.
    """
    text = environment.pop(name, None)
    if not text:
        raise BadInputError(f'what the session was handed is not in the variable "{name}"', hint=RESUME)
    try:
        return _parse(base64.b64decode(text, validate=True))
    except NOT_WHOLE:
        raise BadInputError(f'what the session was handed in "{name}" is not whole', hint=RESUME) from None


def _parse(data: bytes) -> Handed:
    found = json.loads(data)
    return Handed(
        environment={str(name): str(value) for name, value in found["environment"].items()},
        files={str(name): base64.b64decode(data, validate=True) for name, data in found["files"].items()},
        origin=Origin(backend=str(found["backend"]), host=found["host"], ref=found["ref"]),
        grace_s=found["grace_s"],
        gpu=found["gpu"],
        budget_s=found.get("budget_s"),
        source=Path(found["source"]) if found.get("source") else None,
        cloud=found.get("cloud"),
        found=dict(found.get("found") or {}),
        until=datetime.fromisoformat(found["until"]) if found.get("until") else None,
    )


def apply(handed: Handed, environment: MutableMapping[str, str], folder: Path) -> None:
    """Put it where SDKs look for it: into the environment, and into files of this folder that only we can read.

    Each file is whole or absent, and may be there from an earlier start of the same container.
    """
    environment.update(handed.environment)
    for name, data in handed.files.items():
        path = folder / f"handed-{name.lower()}"
        partial = path.with_suffix(f".{os.getpid()}")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        partial.replace(path)
        environment[name] = str(path)
