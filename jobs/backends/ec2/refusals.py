"""From what EC2 answers to refusals that a supervisor can act on."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.backends.answers import AGAIN
from jobs.backends.ec2 import facts
from jobs.backends.vm import Candidate
from jobs.errors import JobError
from jobs.refusals import KINDS, Quota, Refusal


class AnswerError(JobError):
    """An answer of AWS other than what was asked for; `code` is AWS' word for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def of_error(error: AnswerError, known: Mapping[str, tuple[str, str]] = facts.KINDS) -> Refusal:
    """The refusal that this answer means. One that nobody knows concludes nothing."""
    kind, hint = known.get(error.code, ("uncertain", AGAIN))
    return KINDS[kind](error.message, hint=hint)


def used_up(candidate: Candidate, said: AnswerError, limit: facts.Limit, region: str) -> Quota:
    """The account may not have this machine; the hint is the command that asks for more."""
    return Quota(
        f"the account may not have {candidate}: {said.message}",
        hint=f'raise "{limit.name}": aws service-quotas request-service-quota-increase --service-code ec2 '
        f"--quota-code {limit.code} --desired-value {facts.VCPUS} --region {region}",
    )
