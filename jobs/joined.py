"""One log out of two: what a session's place has of its output, and what the store has of it.

The store has what the session printed from its lease on, up to its last heartbeat. The place has that too, and what
was printed before and after; but it may be late, cut short, or gone. Neither numbers its lines, and both keep their
order. So a line is known by its text, and is due as often as the source has it that has it more often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping


def unshown(lines: Iterable[str], seen: MutableMapping[str, int], shown: MutableMapping[str, int]) -> Iterator[str]:
    """Of the next lines of one source, those that were not shown yet, from whichever source.

    `seen` counts the lines of this source from its start, `shown` what was shown; both go on as the lines are taken.
    Whatever the order in which sources are read, a line has been shown as often, in the end, as the one that has it
    most often has it; and where the one that lacks none is read first, in its order.
    """
    for line in lines:
        seen[line] = seen.get(line, 0) + 1
        if seen[line] > shown.get(line, 0):
            shown[line] = seen[line]
            yield line


class Joined:
    """The log of one session: give it what the sources have, and it gives what is new, in whole lines."""

    def __init__(self) -> None:
        self._shown: Counter[str] = Counter()
        self._stored: Counter[str] = Counter()
        self._begun = ""

    def place(self, lines: Iterable[str]) -> Iterator[str]:
        """What is new of the place's log, which is read from its start each time."""
        return unshown(map(_plain, lines), Counter(), self._shown)

    def store(self, piece: str) -> Iterator[str]:
        """What is new of the store's next piece, which may end in the middle of a line."""
        *whole, self._begun = _plain(self._begun + piece).split("\n")
        return unshown((f"{line}\n" for line in whole), self._stored, self._shown)

    def rest(self) -> Iterator[str]:
        """The line that the store has without an end, once there is no more to come."""
        begun, self._begun = self._begun, ""
        known = begun and self._shown[f"{begun}\n"] > self._stored[f"{begun}\n"]
        return iter([begun] if begun and not known else [])


def _plain(text: str) -> str:
    """With ends of lines as the place's machine prints them on."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
