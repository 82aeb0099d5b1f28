"""The one script that a kernel is: `infra/kaggle/start.py` with this session's order, and the program, put in."""

from __future__ import annotations

from facegan.experiment import Json
from jobs.startscript import filled, literal, template


def render(order: Json, wheel: bytes | None) -> str:
    """The script's text. `None` for the wheel leaves it to the data set. Equal orders give equal texts."""
    return filled(_template(), order, '""' if wheel is None else literal(wheel))


def shown(order: Json, said_of_wheel: str) -> str:
    """The same text, with some words in the place of the wheel."""
    return filled(_template(), order, repr(said_of_wheel))


def _template() -> str:
    return template("kaggle")
