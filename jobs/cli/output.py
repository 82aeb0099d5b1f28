"""The only place that prints. Data goes to standard output, everything else to standard error."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from jobs.follow import Ticker

LINE_EVERY = 15  # progress lines of a log that is no terminal: one in so many


def data(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def as_json(value: Any) -> None:  # noqa: ANN401 - JSON
    data(json.dumps(value, indent=2))


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def error(message: str, hint: str | None) -> None:
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")


def clear() -> None:
    """Begin at the top of an empty terminal; what is no terminal goes on below."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[H\x1b[2J")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns wide enough for what they hold, two blanks apart. The last cell of a short row goes over all the rest."""
    lines = [list(header), *map(list, rows)]
    whole = [line if len(line) == len(header) else line[:-1] for line in lines]
    widths = [max(len(line[i]) for line in whole if i < len(line)) for i in range(len(header))]
    for line in lines:
        data("  ".join(cell.ljust(width) for cell, width in zip(line, widths[: len(line)], strict=True)).rstrip())


class Terminal:
    """One line that is written over."""

    def show(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns
        sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
        sys.stderr.flush()

    def done(self) -> None:
        say("")


class Log:
    """A line now and then, and the last one: for what is no terminal."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: str | None = None

    def show(self, text: str) -> None:
        self._waiting = text
        if self._count % LINE_EVERY == 0:
            self.done()
        self._count += 1

    def done(self) -> None:
        if self._waiting is not None:
            say(self._waiting)
        self._waiting = None


def ticker() -> Ticker:
    return Terminal() if sys.stderr.isatty() else Log()
