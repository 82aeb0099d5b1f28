"""From what the `colab` command says to refusals that a supervisor can act on."""

from __future__ import annotations

import re

from jobs.backends.colab import facts
from jobs.refusals import KINDS, Refusal, Uncertain

LONGEST = 300
_TOKEN = re.compile(r"(colab-runtime-proxy-token|access_token|code_challenge|state)=[^&\s]+")
_FRAME = re.compile(r"[╭╮╰╯│─━]+")


def of_text(text: str, doing: str) -> Refusal:
    """The refusal that these words mean, said while `doing` something. Words that nobody knows conclude nothing."""
    low = without_frames(text).lower()
    words = next((each for each in facts.FAILURES if each.part in low), None)
    said = f'Colab does not {doing}: "{shown(text)}"' if text.strip() else f"Colab does not {doing}, and says nothing"
    if words is None:
        return Uncertain(said, hint="type the same again later")
    return KINDS[words.kind](said, hint=words.hint)


def shown(text: str) -> str:
    """The end of what it said, in one line: without frames, and without what opens a machine to whoever reads it."""
    line = _TOKEN.sub(r"\1=…", without_frames(text))
    return line if len(line) <= LONGEST else f"…{line[-LONGEST:]}"


def without_frames(text: str) -> str:
    """In one line. The command draws boxes around its errors, and breaks their lines."""
    return " ".join(_FRAME.sub(" ", text).split())
