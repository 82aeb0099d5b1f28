"""What is left of quotas, asked of several places at once, with a patience of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping

from facegan.errors import FaceganError
from jobs.backends.base import Allowance, Backend
from jobs.patience import at_once

Said = Allowance | FaceganError | None
"""What a place says is left; why it does not say; `None` where it has no quota."""


def ask(places: Mapping[str, Backend], patience_s: float) -> dict[str, Said]:
    """What each place says is left, all asked at once; one that takes too long has not answered."""

    def one(name: str) -> Said:
        try:
            return places[name].quota()
        except FaceganError as error:
            return error

    answers = at_once(places, one, patience_s, time.monotonic)
    silent = FaceganError(f"it says nothing for {patience_s:.0f} s")
    return {name: answers.get(name, silent) for name in places}


def words(left: Said) -> str:
    """The same in a cell of a table."""
    if isinstance(left, FaceganError):
        return "no answer"
    return "-" if left is None else f"{left.left_s / 3600:.1f} of {left.of_s / 3600:.0f} h left"
