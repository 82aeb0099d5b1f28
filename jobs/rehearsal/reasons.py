"""Whether there is ground for giving a run up: each reason, by what it says, held against what was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from jobs.rehearsal.history import End, Line

FAILURES = 2
FRUITLESS = 6
BY_LUCK = "lost before they began"  # may come without any failure of a session: so may places that never will
NO_PLACE = "no backend is"  # left, or allowed


def holds(why: str, line: Line, now: float, places: Sequence[str], *, affords: bool) -> bool:
    """Whether a run may be given up for this. A reason that is not known here is none.

    `places` are those that could run it. `affords` is whether its budget surely pays for one more session.
    """
    found = next((ground for words, ground in _GROUNDS.items() if words in why), None)
    if found is not None:
        return any(found([end for end in ends if end.step == line.reached]) for ends in line.lately(now))
    if is_of_money(why) and not affords:
        return True
    return NO_PLACE in why and all(line.never(place, now) for place in places)


def is_of_money(why: str) -> bool:
    return "budget" in why or "are allowed" in why


def is_by_luck(why: str) -> bool:
    """Whether a run may be given up for this although none of its sessions failed."""
    return BY_LUCK in why or (NO_PLACE in why and not is_of_money(why))


def _have_failed(here: Sequence[End]) -> bool:
    return sum(end.outcome == "failed" for end in here) >= FAILURES


def _were_barren(here: Sequence[End]) -> bool:
    barren = [end for end in here if end.leased and not end.restored and end.outcome in {"lost", "failed"}]
    return len(barren) >= FAILURES


def _were_fruitless(here: Sequence[End]) -> bool:
    return sum(end.leased and end.began == end.step for end in here) >= FRUITLESS


def _never_began(here: Sequence[End]) -> bool:
    asked = [end for end in here if end.outcome != "refused"]
    return len(list(takewhile(lambda end: end.outcome == "lost" and not end.leased, asked))) >= FRUITLESS


_GROUNDS: Mapping[str, Callable[[Sequence[End]], bool]] = {
    "sessions failed at step": _have_failed,
    "before they had restored anything": _were_barren,
    "in a row committed nothing": _were_fruitless,
    BY_LUCK: _never_began,
}
