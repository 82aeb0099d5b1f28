"""What is left of quotas, asked of several places at once, with a patience of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from facegan.errors import FaceganError
from jobs.backends.base import Allowance, Backend

Said = Allowance | FaceganError | None
"""What a place says is left; why it does not say; `None` where it has no quota."""


def ask(places: Mapping[str, Backend], patience_s: float) -> dict[str, Said]:
    """What each place says is left, all asked at once; one that takes too long has not answered."""
    answers: dict[str, Said] = {}

    def one(name: str) -> None:
        try:
            answers[name] = places[name].quota()
        except FaceganError as error:
            answers[name] = error

    threads = [threading.Thread(target=one, args=(name,), daemon=True) for name in places]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    silent = FaceganError(f"it says nothing for {patience_s:.0f} s")
    return {name: answers.get(name, silent) for name in places}


def words(left: Said) -> str:
    """The same in a cell of a table."""
    if isinstance(left, FaceganError):
        return "no answer"
    return "-" if left is None else f"{left.left_s / 3600:.1f} of {left.of_s / 3600:.0f} h left"
