"""What a session printed, from the two forms in which Kaggle has it, each line once.

While a session runs, a stream of events that begins anew with every connection; when it has ended, a list of the
same events. An event is known by its place, so what was read before is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

END = "END_OF_LOG"
EXIT = re.compile(r"^facegan-exit: (-?[0-9]+)$", re.MULTILINE)
"""Said by `infra/kaggle/start.py`: what Kaggle itself says of an end is the notebook's, not the session's."""
WHY = re.compile(r"^facegan-why: (.+)$", re.MULTILINE)


class Joined:
    """One log, however often it has to be read: `over` once it has been read to its end."""

    def __init__(self) -> None:
        self._given = 0
        self.over = False

    def stream(self, lines: Iterable[bytes]) -> Iterator[str | None]:
        """What is new in one reading of the address of the live log; `None` where it has caught up with the session.

        Counted as it is given: a connection that breaks in the middle loses nothing and doubles nothing.
        """
        place, rest = 0, iter(lines)
        for line in rest:
            if place == 0 and line.lstrip().startswith(b"["):  # the session has ended: the address gives the list
                yield from self.ended((line + b"".join(rest)).decode(errors="replace"))
                return
            field, found, value = line.decode(errors="replace").strip().partition(":")
            if field != "data" or not found:
                if field == "" and found:  # a comment keeps the connection open
                    yield None
                continue
            if value.strip() == END:
                self.over = True
                return
            yield from self._new(place, _text(_json(value)))
            place += 1

    def ended(self, log: str) -> Iterator[str]:
        """What is new in an ended session's log; one that is no list is given as it is."""
        found = _json(log)
        events = [_text(event) for event in found] if isinstance(found, list) else [log]
        for place, text in enumerate(events):
            yield from self._new(place, text)
        self.over = True

    def _new(self, place: int, text: str) -> Iterator[str]:
        if place >= self._given:
            self._given = place + 1
            yield text


def exit_code(printed: str) -> int | None:
    """How the session's process ended, as the start script says last; `None` when it was not given the time."""
    found = EXIT.findall(printed)
    return int(found[-1]) if found else None


def reason(printed: str) -> str:
    """Why the session could not begin, in the start script's words; empty when it could, or did not get to say."""
    found = WHY.findall(printed)
    return str(found[-1]) if found else ""


def _text(event: object) -> str:
    return str(event.get("data") or "") if isinstance(event, dict) else ""


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
