"""How a session's machine is called and tagged, and what makes two requests for it one."""

from __future__ import annotations

import hashlib

from facegan.experiment import Json
from jobs.backends.base import Order, digest

RUN, SESSION, URL = "facegan:run", "facegan:session", "facegan:url"


def name(order: Order) -> str:
    return f"facegan-{order.run}-{order.number}-{digest(order.run_url)[:6]}"


def tags(order: Order) -> dict[str, str]:
    return {"Name": name(order), RUN: order.run, SESSION: str(order.number), URL: digest(order.run_url)}


def ref(instance: str, region: str, account: str, log: str) -> Json:
    """What a machine is known by; `log` is the object that it puts its log into, in the run's store."""
    return {"instance": instance, "region": region, "account": account, "log": log}


def filters(order: Order) -> list[Json]:
    """What finds the session's machine, in whatever state it is."""
    return [*of_run(order.run_url), {"Name": f"tag:{SESSION}", "Values": [str(order.number)]}]


def of_run(run_url: str) -> list[Json]:
    return [{"Name": f"tag:{URL}", "Values": [digest(run_url)]}]


def ours() -> list[Json]:
    """What finds every machine of ours that is not gone, whichever run it is of."""
    return [
        {"Name": "tag-key", "Values": [URL]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]


def token(order: Order, type: str, zone: str) -> str:
    """Of two requests with one token, EC2 answers the second with the first one's machine."""
    said = f"{order.run_url} {order.number} {type} {zone}"
    return f"facegan-{hashlib.sha256(said.encode()).hexdigest()[:48]}"
