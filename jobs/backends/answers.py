"""What a place answers, turned into refusals; silence, of which nothing is concluded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from facegan.errors import FaceganError, UnreachableError
from jobs.refusals import Refusal, Uncertain

AGAIN = "type the same again in a minute"

Answer = TypeVar("Answer", bound=FaceganError)


@contextlib.contextmanager
def refusing(answer: type[Answer], refusal: Callable[[Answer], Refusal]) -> Iterator[None]:
    """What an `answer` of that place means is raised instead of it; no answer says nothing of the session."""
    try:
        yield
    except answer as error:
        raise refusal(error) from error
    except UnreachableError as error:
        raise _uncertain(error) from error


@contextlib.contextmanager
def concluding_nothing(answer: type[FaceganError]) -> Iterator[None]:
    """For a look alone: whatever is said instead of what was asked for, the session may be there."""
    try:
        yield
    except (answer, UnreachableError) as error:
        raise _uncertain(error) from error


def _uncertain(error: FaceganError) -> Uncertain:
    return Uncertain(error.message, hint=error.hint or AGAIN)
