"""What Gradient is asked for: a workflow of one job, which is the session's container. Decided here, sent elsewhere."""

from __future__ import annotations

import math

from facegan import handed
from facegan.experiment import Json
from jobs.backends.base import Order
from jobs.backends.gradient import facts, naming
from jobs.refusals import InvalidJob


def machine(gpu: str | None) -> str:
    """Gradient's name of the machine with this GPU, or of one without.

    Raises:
        InvalidJob: there is none.
    """
    if gpu is None:
        return facts.WITHOUT.value
    found = facts.accelerator(gpu)
    if found is None:
        raise InvalidJob(f'Gradient has no GPU "{gpu}"', hint=facts.SETUP)
    return found.gpu


def workflow(order: Order, project: str) -> Json:
    """A workflow that does not run yet: of its runs, the first is the session."""
    return {"name": naming.workflow(order), "projectId": project}


def run(order: Order, session_s: float) -> Json:
    """The run of it, which is handed a secret of the project.

    Gradient's time-out is the second line: the session knows when it has to end.
    """
    limit = f"{math.ceil(session_s / 60)}m"
    return {
        "spec": {
            "defaults": {"resources": {"instance-type": machine(order.gpu)}},
            "jobs": {
                "session": {
                    "uses": "container@v1",
                    "with": {
                        "image": str(order.bundle["digest"]),
                        "args": ["run", order.run_url, "--session", str(order.number), "--handed-in", handed.VARIABLE],
                    },
                    "env": {handed.VARIABLE: f"{facts.SECRET.value}{naming.secret(order)}"},
                    "timeout": limit,
                }
            },
        }
    }
