"""What `doctor` shows of Compute Engine: whose credentials, the quota, and the images of machines and sessions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from facegan.errors import BadInputError
from jobs.backends import checking
from jobs.backends.base import Check
from jobs.backends.gce import facts, refusals
from jobs.backends.gce.refusals import AnswerError

_check = functools.partial(checking.check, answer=AnswerError, refusal=refusals.of_error)


def look(client: Any, project: str, region: str, family: str, market: str) -> Iterator[Check]:  # noqa: ANN401 - its module brings the SDK
    """The credentials first: without them nothing else can be asked. What does not answer is no fault of ours."""
    account = _check("gce: account", lambda: f"{client.account()}, in {project}")
    yield account
    if account.ok is not True:
        return
    yield _check("gce: quota", lambda: _quota(client.quotas(region), region, market))
    yield _check("gce: image of machines", lambda: f"{client.image(family)}, the newest of its family")


def image(pinned: Callable[[], str]) -> Check:
    """Whether it is named as a machine can pull it; whether it is there is asked by the machine alone."""
    return _check("gce: image", lambda: f'"{pinned()}", which is asked for by the machine alone')


def _quota(found: Mapping[str, float], region: str, market: str) -> str:
    """How many GPUs of each kind there may be.

    Raises:
        BadInputError: none of any.
    """
    every = found.get(facts.ALL_GPUS, 0.0)
    kinds = {
        each.gpu: max(found.get(name, 0.0) for name in facts.quotas(each.gpu, market)) for each in facts.ACCELERATORS
    }
    said = f"{facts.ALL_GPUS} {every:g}; {market} in {region}: {', '.join(f'{gpu} {n:g}' for gpu, n in kinds.items())}"
    if every < 1 or not any(kinds.values()):
        metric = facts.ALL_GPUS if every < 1 else facts.quotas(facts.ACCELERATORS[0].gpu, market)[0]
        raise BadInputError(said, hint=f'raise "{metric}" (docs/gce.md)')
    return said
