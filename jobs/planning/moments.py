"""Moments as people type them: from now on, or by the calendar, always UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from facegan.errors import BadInputError

UNITS_S = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
FROM_NOW = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw])")


def parse(text: str, now: float) -> float:
    """The moment in Unix seconds: `48h` from `now` on, or `2026-12-01`, at 00:00 UTC where no hour is said.

    Raises:
        BadInputError: it is none, or it is over.
    """
    found = FROM_NOW.fullmatch(text.strip())
    at = now + float(found[1]) * UNITS_S[found[2]] if found else _by_calendar(text)
    if at <= now:
        raise BadInputError(f'"{text}" is over', hint="48h, or 2026-12-01: at 00:00 UTC where no hour is said")
    return at


def _by_calendar(text: str) -> float:
    try:
        day = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInputError(f'"{text}" is no time', hint='48h, 3d, 2026-12-01 or "2026-12-01 18:00" (UTC)') from None
    return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()
