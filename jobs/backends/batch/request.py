"""What Batch is asked for: the body of `SubmitJob` (AWS Batch API Reference). Decided here, sent elsewhere."""

from __future__ import annotations

from facegan import handed, layout
from facegan.experiment import Json
from facegan.handed import Handed, Origin
from facegan.storage.cloud import Location
from jobs.backends.base import Order
from jobs.backends.batch import facts, naming
from jobs.backends.ec2 import role

START_S = 300.0  # kept of the time that is allowed, for a machine to be there


def body(order: Order, ref: Json) -> Json:
    """The request for this session's job. How often it is tried, and where, is said by its definition and its queue.

    No secret is in what is handed over: the job's role is what lets it reach the store. One that a budget limits is
    tried once, and for so long: each start would be paid for anew.
    """
    once = {"retryStrategy": {"attempts": 1}, "timeout": {"attemptDurationSeconds": int(order.limit_s or 0)}}
    return {
        "jobName": ref["job"],
        "jobQueue": ref["queue"],
        "jobDefinition": order.bundle["definition"],
        "containerOverrides": {
            "command": ["run", order.run_url, "--session", str(order.number), "--handed-in", handed.VARIABLE],
            "environment": [{"name": handed.VARIABLE, "value": handed.to_text(given(order, ref))}],
        },
        "tags": naming.tags(order),
        "propagateTags": True,
        **({} if order.limit_s is None else once),
    }


def given(order: Order, ref: Json) -> Handed:
    """What the session is handed. Started again by the engine it is handed the same, and takes the next number."""
    store, _ = layout.split_run_url(order.run_url)
    options = Location.parse(store, options=("endpoint", "region")).options
    return Handed(
        environment=role.environment(options, ref["region"]),
        origin=Origin(backend="batch", host=ref["region"], ref=ref),
        grace_s=float(facts.STOP_S.value - facts.REPORT_S),
        gpu=order.gpu,
        budget_s=_budget_s(order),
        cloud="ec2",
    )


def _budget_s(order: Order) -> float | None:
    """How long each start may take: less than the engine's own limit, after which a job is not tried again."""
    timeout_s = order.bundle.get("timeout_s")
    limits = [limit - START_S for limit in (timeout_s, order.limit_s) if limit is not None]
    return max(0.0, min(limits)) if limits else None
