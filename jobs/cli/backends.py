"""`facegan-job backends`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from facegan.errors import FaceganError
from facegan.length import duration
from jobs import settings
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Allowance, Backend, Capabilities
from jobs.cli import options, output

PATIENCE_S = 8.0  # for all that networks have to say
NO_ANSWER = "no answer"


def backends(json: options.Json = False) -> None:
    """List where sessions can run, on which GPUs, for how long, and what is left of a quota."""
    places = {name: open_backend(name, settings.load()) for name in BACKENDS}
    left = _left(places)
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
                _quota(left[name]),
                ", ".join(able.stores),
                able.summary,
            )
            for name, able in found.items()
        ),
    )
    for line in _notes(found, left):
        output.say(line)


def _left(places: Mapping[str, Backend]) -> dict[str, Allowance | FaceganError | None]:
    """What each place says is left, all asked at once; one that takes too long has not answered."""
    answers: dict[str, Allowance | FaceganError | None] = {}

    def ask(name: str) -> None:
        try:
            answers[name] = places[name].quota()
        except FaceganError as error:
            answers[name] = error

    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in places]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = FaceganError(f"it says nothing for {PATIENCE_S:.0f} s")
    return {name: answers.get(name, silent) for name in places}


def _quota(left: Allowance | FaceganError | None) -> str:
    if isinstance(left, FaceganError):
        return NO_ANSWER
    return "-" if left is None else f"{left.left_s / 3600:.1f} of {left.of_s / 3600:.0f} h left"


def _notes(found: Mapping[str, Capabilities], left: Mapping[str, Allowance | FaceganError | None]) -> Iterable[str]:
    for name, able in found.items():
        yield from (f"{name}: {gpu} is {why}" for gpu, why in able.retired.items())
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
        "retired": dict(able.retired),
        "session_s": able.session_s,
        "stores": list(able.stores),
        "quota": quota,
        "no_answer": left.message if isinstance(left, FaceganError) else None,
    }
