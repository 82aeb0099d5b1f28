"""`facegan-job backends`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from facegan.errors import FaceganError
from facegan.length import duration
from jobs import allowances, settings
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Allowance, Capabilities
from jobs.cli import options, output

PATIENCE_S = 8.0  # for all that networks have to say


def backends(json: options.Json = False) -> None:
    """List where sessions can run, on which GPUs, for how long, and what is left of a quota."""
    places = {name: open_backend(name, settings.load()) for name in BACKENDS}
    left = allowances.ask(places, PATIENCE_S)
    found = {name: place.capabilities() for name, place in places.items()}
    if json:
        output.as_json([_to_json(name, able, left[name]) for name, able in found.items()])
        return
    output.table(
        ("NAME", "GPUS", "SESSIONS", "QUOTA", "STORES", "WHAT"),
        (
            (
                name,
                ", ".join(able.gpus) or "none",
                f"up to {duration(able.session_s)}" if able.session_s else "any length",
                allowances.words(left[name]),
                ", ".join([*able.stores, *(f"{scheme} (a copy)" for scheme in able.carries)]),
                able.summary,
            )
            for name, able in found.items()
        ),
    )
    for line in _notes(found, left):
        output.say(line)


def _notes(found: Mapping[str, Capabilities], left: Mapping[str, Allowance | FaceganError | None]) -> Iterable[str]:
    for name, able in found.items():
        yield from (f"{name}: {gpu} is {why}" for gpu, why in able.absent.items())
        said = left[name]
        if isinstance(said, FaceganError):
            yield f"{name}: {said.message}"
        elif said is not None and said.resets_at is not None:
            yield f"{name}: {said.what} begins anew on {said.resets_at:%A %d %B at %H:%M} UTC"


def _to_json(name: str, able: Capabilities, left: Allowance | FaceganError | None) -> dict[str, Any]:
    quota = None
    if isinstance(left, Allowance):
        until = left.resets_at.isoformat() if left.resets_at else None
        quota = {"what": left.what, "left_s": left.left_s, "of_s": left.of_s, "resets_at": until}
    return {
        "name": name,
        "summary": able.summary,
        "gpus": list(able.gpus),
        "absent": dict(able.absent),
        "session_s": able.session_s,
        "stores": list(able.stores),
        "carries": list(able.carries),
        "quota": quota,
        "no_answer": left.message if isinstance(left, FaceganError) else None,
    }
