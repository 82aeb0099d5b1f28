"""How a session's job is called and tagged, and what it is known by."""

from __future__ import annotations

from facegan.experiment import Json
from jobs.backends.base import Order, digest
from jobs.backends.ec2.naming import RUN, SESSION, URL

BEGINS = "facegan-"


def name(order: Order) -> str:
    """The same for every command that asks for this session. Batch takes letters, digits, "-" and "_"."""
    return f"{of_run(order.run, order.run_url)}{order.number}"


def of_run(run: str, run_url: str) -> str:
    """What the names of a run's jobs begin with, and those of no other run."""
    return f"{BEGINS}{run.replace('.', '_')}-{digest(run_url)}-"


def tags(order: Order) -> dict[str, str]:
    return {RUN: order.run, SESSION: str(order.number), URL: digest(order.run_url)}


def ref(job: str, queue: str, region: str, account: str) -> Json:
    """What a session's job is known by, to whoever asks for it and to its session: its name, before it has an id."""
    return {"job": job, "queue": queue, "region": region, "account": account}
