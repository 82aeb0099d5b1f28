"""How what `doctor` asks of a place becomes what it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from facegan.errors import BadInputError, FaceganError
from jobs.backends.base import Check
from jobs.refusals import Auth, Refusal

Answer = TypeVar("Answer", bound=FaceganError)


def check(name: str, ask: Callable[[], str], answer: type[Answer], refusal: Callable[[Answer], Refusal]) -> Check:
    """What was found, or why not. A place that answers with a no is at fault, one that does not answer is not.

    `refusal` is what an `answer` of that place means.
    """
    try:
        return Check(name=name, ok=True, found=ask())
    except (BadInputError, Auth) as error:
        return Check(name=name, ok=False, found=error.message, hint=error.hint or "")
    except answer as error:
        return Check(name=name, ok=False, found=error.message, hint=refusal(error).hint or "")
    except FaceganError as error:
        return Check(name=name, ok=None, found=error.message, hint=error.hint or "")
