"""From what Compute Engine answers to refusals that a supervisor can act on."""

from __future__ import annotations

import re

from facegan.experiment import Json
from jobs.backends.answers import AGAIN
from jobs.backends.gce import facts
from jobs.backends.vm import Candidate
from jobs.errors import JobError
from jobs.refusals import KINDS, Quota, Refusal

METRIC = re.compile(r"[Qq]uota '([A-Z0-9_]+)' exceeded")
BY_STATUS = {400: "invalid", 401: "authError", 403: "forbidden", 404: "notFound", 412: "conditionNotMet"}
"""The reason of an answer that gives none we know: one of these statuses says that nothing was made."""


class AnswerError(JobError):
    """An answer of Google's other than what was asked for; `code` is Google's word for it.

    `is_ended`: it is of an operation that has ended, so that there is no machine, whatever the code means. `quota` is
    what Google says of a quota that is used up.
    """

    def __init__(self, message: str, code: str, *, is_ended: bool = False, quota: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.is_ended = is_ended
        self.quota = quota or {}


def of_operation(operation: Json) -> AnswerError | None:
    """Why an operation that has ended has failed; `None` if it has not.

    An operation says what went wrong in each step; the first is why.
    """
    failures = operation.get("error", {}).get("errors", [])
    if not failures:
        return None
    first = failures[0]
    code, message = str(first.get("code", "")), str(first.get("message") or first.get("code", ""))
    quota = next((each["quotaInfo"] for each in first.get("errorDetails", []) if "quotaInfo" in each), None)
    return AnswerError(
        f"{operation.get('operationType')} is refused: {code}: {message}", code, is_ended=True, quota=quota
    )


def of_error(error: AnswerError) -> Refusal:
    """The refusal that this answer means. One that nobody knows concludes nothing, unless its operation has ended."""
    otherwise = "capacity" if error.is_ended else "uncertain"
    kind, hint = facts.KINDS.get(error.code, (otherwise, AGAIN))
    return KINDS[kind](error.message, hint=hint)


def used_up(candidate: Candidate, said: AnswerError, likely: str, project: str) -> Quota:
    """The project may not have this machine; the hint is the command that asks for more."""
    metric, limit = quota(said, likely)
    region = candidate.zone.rpartition("-")[0]
    where = "" if limit.endswith("-per-project") else f" --dimensions=region={region}"
    return Quota(
        f"the project may not have {candidate}: {said.message}",
        hint=f'raise "{metric}": gcloud quotas preferences create --service=compute.googleapis.com --project={project} '
        f"--quota-id={limit} --preferred-value={1 if 'GPU' in metric else facts.VCPUS}{where}",
    )


def quota(said: AnswerError, likely: str) -> tuple[str, str]:
    """The metric that is used up, and the id that it is raised by: Google's own words, as far as it says them."""
    named = str(said.quota.get("metricName", "")).rpartition("/")[2].upper()
    found = METRIC.search(said.message)
    metric = found[1] if found else named or likely
    is_global = "globally" in said.message or metric == facts.ALL_GPUS
    ending = "per-project" if is_global else "per-project-region"
    return metric, str(said.quota.get("limitName") or f"{metric.replace('_', '-')}-{ending}")
