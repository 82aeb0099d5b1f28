"""How a job of Batch ended, from what Batch says of it."""

from __future__ import annotations

from facegan.experiment import Json
from facegan.process import Life
from jobs.backends.batch import facts


def life(job: Json) -> Life:
    return facts.LIVES.get(str(job.get("status")), Life.UNKNOWN)


def newest(jobs: list[Json]) -> Json:
    """Of several jobs of one name one that lives, and of those the newest."""
    return max(jobs, key=lambda each: (life(each) is not Life.GONE, each.get("createdAt", 0)))


def why(job: Json) -> str:
    """In the words of the run's history."""
    said = str(job.get("statusReason") or "")
    container = job.get("container") or {}
    if said.startswith(facts.HOST_GONE.value):
        return f"the machine of its job was taken back, for the last time that Batch allows it: {said}"
    code = container.get("exitCode")
    if job.get("status") == "SUCCEEDED":
        return "its job has ended"
    parts = [said, str(container.get("reason") or ""), "" if code is None else f"exit code {code}"]
    return f"its job has ended: {', '.join(part for part in parts if part) or 'Batch does not say why'}"
