"""The program that begins a session on somebody else's machine, as one text: a file of `infra/`, with all put in.

What it imports from the module that all of them share stands in the import's place, the session's order and the program
in their own. Equal orders give equal texts.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import infra
from facegan.experiment import Json

ORDER = '"@ORDER@"'
WHEEL = '"@WHEEL@"'
SHARED = re.compile(r"^from infra\.start\.machine import (?:\([^)]*\)|.*)$", re.MULTILINE)
FUTURE = "from __future__ import annotations\n"
LINE = 1024


def template(name: str) -> str:
    """The text of `infra/<name>/start.py`, with its order and program still open."""
    folder = Path(str(infra.__file__)).parent
    shared = (folder / "start" / "machine.py").read_text(encoding="utf-8").partition(FUTURE)[2]
    own = (folder / name / "start.py").read_text(encoding="utf-8")
    return SHARED.sub(lambda _line: shared.strip(), own)


def filled(text: str, order: Json, wheel: str) -> str:
    """A template with this order in it, and `wheel`, a literal of Python's, for the program."""
    return text.replace(ORDER, repr(json.dumps(order, sort_keys=True))).replace(WHEEL, wheel)


def literal(data: bytes) -> str:
    """Base64, because no line of it can look like anything to what makes or reads a notebook."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    return '"""\n' + "\n".join(lines) + '\n"""'
