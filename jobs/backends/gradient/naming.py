"""How a session's workflow and secret are called, by which they are found again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.backends.base import Order, digest

SECRET = re.compile(r"FACEGAN_(?P<run>[0-9A-F]{16})_(?P<number>\d+)")
WORKFLOW = re.compile(r"facegan-(?P<run>.+)-(?P<number>\d+)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Which session a workflow is for: a number of a run, whose URL has this digest."""

    run: str
    number: int
    digest: str


def workflow(order: Order) -> str:
    """Tells apart runs of one id in two stores, as `secret` does."""
    return f"facegan-{order.run}-{order.number}-{digest(order.run_url)}"


def named(workflow: str) -> Named | None:
    """The session that a workflow of this name is for; `None` where it is none of ours."""
    found = WORKFLOW.fullmatch(workflow)
    return found and Named(run=found["run"], number=int(found["number"]), digest=found["digest"])


def secret(order: Order) -> str:
    return f"FACEGAN_{digest(order.run_url).upper()}_{order.number}"


def numbers(secrets: Sequence[str], run_url: str) -> Iterator[tuple[int, str]]:
    """The sessions of the run that have a secret among these, each with its name."""
    mine = digest(run_url).upper()
    for name in secrets:
        found = SECRET.fullmatch(name)
        if found is not None and found["run"] == mine:
            yield int(found["number"]), name
