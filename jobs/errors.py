"""Errors of the command line, and the exit codes that scripts may rely on."""

from __future__ import annotations

from enum import IntEnum

from facegan.errors import BadInputError, FaceganError
from facegan.ledger import NoRunError


class Exit(IntEnum):
    """Exit codes of `facegan-job` (docs/architecture.md, Commands).

    From 100 on they speak of a run or of its data.
    """

    OK = 0
    ERROR = 1
    USAGE = 2
    RUN_FAILED = 100
    NOT_FINISHED = 101
    NO_SUCH_RUN = 102
    CANCELLED = 103
    INTEGRITY = 104
    QUOTA = 105
    WAIT_TIMEOUT = 124
    DETACHED = 130


class JobError(FaceganError):
    """A command could not do what it was asked; nothing is lost. `exit` is what the command ends with."""

    exit = Exit.ERROR


class NotSetUpError(BadInputError):
    """This machine lacks what it takes to ask a place for sessions: a setting, a program. Another one may have it."""


def exit_of(error: FaceganError) -> Exit:
    """The exit code of a command that ends with this error."""
    if isinstance(error, NoRunError):
        return Exit.NO_SUCH_RUN
    if isinstance(error, JobError):
        return error.exit
    return Exit.USAGE if isinstance(error, BadInputError) else Exit.ERROR
