"""What `doctor` shows of Gradient: who we are there, in which project, and whether the account has workflows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

from jobs.backends import checking
from jobs.backends.base import Check
from jobs.backends.gradient import api, refusals
from jobs.backends.gradient.api import Api
from jobs.backends.rest import AnswerError

_check = functools.partial(checking.check, answer=AnswerError, refusal=refusals.of_error)


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
