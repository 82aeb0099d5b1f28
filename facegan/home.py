"""Where the tool keeps what it keeps on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "FACEGAN_HOME"


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """`FACEGAN_HOME`, or `.facegan` in the user's home folder; made when first written to."""
    named = environment.get(VARIABLE)
    return Path(named).expanduser().absolute() if named else Path.home() / ".facegan"
