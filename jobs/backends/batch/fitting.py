"""Whether a queue and a job definition are what a session needs. They are the user's own, and are not changed."""

from __future__ import annotations

from collections.abc import Sequence

from facegan.experiment import Json
from jobs.backends.batch import facts
from jobs.backends.ec2 import facts as ec2
from jobs.errors import NotSetUpError
from jobs.refusals import InvalidJob


def bundle(definition: Json, gpu: str | None) -> Json:
    """What this definition runs, pinned by its image's digest and its own revision.

    Raises:
        NotSetUpError: its image is not named by its digest.
        InvalidJob: it has a GPU where none is asked for, or none where one is.
    """
    name, container = definition["jobDefinitionName"], definition.get("containerProperties") or {}
    image = str(container.get("image", ""))
    if "@sha256:" not in image:
        raise NotSetUpError(
            f'the job definition "{name}" names its image "{image}", and not by its digest', hint=facts.SETUP
        )
    wanted = container.get("resourceRequirements", ())
    cards = sum(int(each["value"]) for each in wanted if each["type"] == "GPU")
    if bool(cards) is not bool(gpu):
        has, asked = ("a GPU", "none") if cards else ("no GPU", f'a "{gpu}"')
        raise InvalidJob(
            f'the job definition "{name}" has {has}, and {asked} is asked for',
            hint='definition = "…" in facegan.toml names another',
        )
    timeout_s = (definition.get("timeout") or {}).get("attemptDurationSeconds")
    return {"image": image, "id": None, "digest": image, "definition": definition["jobDefinitionArn"]} | (
        {} if timeout_s is None else {"timeout_s": timeout_s}
    )


def require_queue(queue: Json, environments: Sequence[Json], gpu: str | None) -> None:
    """Refuse a queue that takes no jobs, or whose machines have another GPU.

    Raises:
        InvalidJob: it is so.
    """
    name = queue["jobQueueName"]
    if (queue["state"], queue["status"]) != ("ENABLED", "VALID"):
        raise InvalidJob(f'the queue "{name}" is {queue["state"]} and {queue["status"]}', hint=facts.SETUP)
    if gpu is None:
        return
    families = {type.partition(".")[0] for each in ec2.ACCELERATORS if each.gpu == gpu for type in each.types}
    types = [type for each in environments for type in (each.get("computeResources") or {}).get("instanceTypes", ())]
    other = [type for type in types if type.partition(".")[0] not in families]
    if other:
        raise InvalidJob(
            f'jobs of the queue "{name}" may run on {", ".join(other)}, which has no "{gpu}"',
            hint='queue = "…" in facegan.toml names another',
        )
