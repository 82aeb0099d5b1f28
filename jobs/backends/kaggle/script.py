"""The one script that a kernel is: `infra/kaggle/start.py` with this session's order, and the program, put in."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import infra
from facegan.experiment import Json

ORDER = '"@ORDER@"'
WHEEL = '"@WHEEL@"'
LINE = 1024


def render(order: Json, wheel: bytes | None) -> str:
    """The script's text. `None` for the wheel leaves it to the data set. Equal orders give equal texts."""
    body = "" if wheel is None else _block(wheel)
    return _template().replace(ORDER, repr(json.dumps(order, sort_keys=True))).replace(WHEEL, body or '""')


def shown(order: Json, said_of_wheel: str) -> str:
    """The same text, with some words in the place of the wheel."""
    return _template().replace(ORDER, repr(json.dumps(order, sort_keys=True))).replace(WHEEL, repr(said_of_wheel))


def _template() -> str:
    return (Path(str(infra.__file__)).parent / "kaggle" / "start.py").read_text(encoding="utf-8")


def _block(data: bytes) -> str:
    """Base64, because no line of it can look like anything to what makes a notebook of the script."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    return '"""\n' + "\n".join(lines) + '\n"""'
