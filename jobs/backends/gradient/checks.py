"""What `doctor` shows of Gradient: who we are there, in which project, and whether the account has workflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from facegan.errors import BadInputError, FaceganError
from jobs.backends.base import Check
from jobs.backends.gradient import api, refusals
from jobs.backends.gradient.api import Api
from jobs.backends.rest import AnswerError
from jobs.refusals import Auth, Uncertain


def look(sign_in: Callable[[], Api], named: str | None) -> Sequence[Check]:
    """One after the other: without an account nothing else can be asked."""
    return list(_look(sign_in, named))


def _look(sign_in: Callable[[], Api], named: str | None) -> Iterator[Check]:
    yield (account := _check("gradient: account", lambda: f'team "{sign_in().team()}"'))
    if account.ok is not True:
        return
    yield (project := _check("gradient: project", lambda: api.project(sign_in().projects(), named)))
    if project.ok is not True:
        return
    yield _check("gradient: workflows", lambda: f"{len(sign_in().workflows(project.found))} there")


def _check(name: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, found=ask())
    except (BadInputError, Auth) as error:
        return Check(name=name, ok=False, found=error.message, hint=error.hint or "")
    except AnswerError as error:
        refusal = refusals.of_error(error)
        ok = None if isinstance(refusal, Uncertain) else False
        return Check(name=name, ok=ok, found=refusal.message, hint=refusal.hint or "")
    except FaceganError as error:
        return Check(name=name, ok=None, found=error.message, hint=error.hint or "")
