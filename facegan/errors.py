"""What can go wrong, in words for the person who has to act on it.

Every error carries what happened (with the offending value in quotes) and a hint: what to type or
look at next. Nothing below the command line prints or exits; `cli.main` and `facegan.__main__` do.
"""

from __future__ import annotations

from enum import IntEnum


class SessionExit(IntEnum):
    """How `python -m facegan run` ends; the numbers are part of the contract (docs/architecture.md)."""

    FINISHED = 0
    FAILED = 1
    BAD_INPUT = 2
    NOT_HOLDER = 73
    INTERRUPTED = 75


class FaceganError(Exception):
    """An error with a remedy; `exit_code` is what a session ends with because of it."""

    exit_code: SessionExit = SessionExit.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInputError(FaceganError):
    """The user asked for something that does not exist or cannot be done."""

    exit_code = SessionExit.BAD_INPUT


class UnreachableError(FaceganError):
    """The storage did not answer, or not in a way that says anything: try again, conclude nothing."""

    exit_code = SessionExit.INTERRUPTED


class DamagedError(FaceganError):
    """An object of the run is not what was committed; the message names it."""


class NotHolderError(FaceganError):
    """This process does not, or no longer, hold the run's lease: it must change nothing more."""

    exit_code = SessionExit.NOT_HOLDER


def printable(text: str) -> str:
    """A text that may come from anybody as an error shows it: on one line, without escapes."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
