"""What `doctor` shows of EC2: who we are there, the role of sessions, the quota, and whether the image is there."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

from facegan.errors import BadInputError
from jobs import reference
from jobs.backends import checking
from jobs.backends.base import Check
from jobs.backends.ec2 import facts, refusals
from jobs.backends.ec2.refusals import AnswerError

ECR = re.compile(r"(?P<account>\d+)\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>.+)")

_check = functools.partial(checking.check, answer=AnswerError, refusal=refusals.of_error)


def look(client: Any, region: str, profile: str, market: str) -> Iterator[Check]:  # noqa: ANN401 - its module brings the SDK
    """The account first: without it nothing else can be asked. What does not answer is no fault of this machine's."""
    account = _check("ec2: account", lambda: f"{client.account()}, in {region}")
    yield account
    if account.ok is not True:
        return
    yield _check("ec2: role of sessions", lambda: _role(client, profile))
    limit = facts.limit("", market) if market not in facts.GPU_LIMITS else facts.GPU_LIMITS[market]
    yield _check("ec2: quota", lambda: _quota(client, limit))


def image(client: Callable[[str], Any], pinned: Callable[[], str]) -> Check:
    """Whether the registry has the image: asked of Amazon's own; others are asked by the machine alone."""

    def look() -> str:
        named = pinned()
        repository, digest = reference.split(named)[0], named.partition("@")[2]
        found = ECR.fullmatch(repository)
        if found is None:
            return f'"{named}", of a registry that is asked by the machine alone'
        client(found["region"]).require_image(found["repository"], digest)
        return f'"{named}" is in the registry'

    return _check("ec2: image", look)


def _role(client: Any, profile: str) -> str:  # noqa: ANN401
    roles = client.profile(profile)
    if not roles:
        raise BadInputError(f'the instance profile "{profile}" has no role', hint=facts.SETUP)
    return f'"{roles[0]}", by the instance profile "{profile}"'


def _quota(client: Any, limit: facts.Limit) -> str:  # noqa: ANN401
    value = client.quota(limit.code)
    if value < facts.VCPUS:
        raise BadInputError(
            f'"{limit.name}" is {value:g} vCPUs, and the smallest machine has {facts.VCPUS}',
            hint=f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {limit.code} "
            f"--desired-value {facts.VCPUS}",
        )
    return f'{value:g} vCPUs of "{limit.name}"'
