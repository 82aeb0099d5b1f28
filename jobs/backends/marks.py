"""What tags and labels say that may be anybody's: a cloud lists whatever bears ours, whoever put them there."""

from __future__ import annotations

from facegan import layout
from facegan.errors import BadInputError


def number(said: str) -> int:
    """The session's; 0, which none has, where that is none."""
    return int(said) if said.isascii() and said.isdigit() else 0


def log(run: str, number: int) -> str:
    """The object that the session's machine puts its log into; "" where there can be no such session."""
    try:
        return layout.machine_log(run, number)
    except BadInputError:
        return ""
