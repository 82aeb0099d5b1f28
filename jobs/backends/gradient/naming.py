"""How a session's workflow and secret are called, by which they are found again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from jobs.backends.base import Order

SECRET = re.compile(r"FACEGAN_(?P<run>[0-9A-F]{16})_(?P<number>\d+)")


def workflow(order: Order) -> str:
    """Tells apart runs of one id in two stores, as `secret` does."""
    return f"facegan-{order.run}-{order.number}-{_digest(order.run_url)[:6]}"


def secret(order: Order) -> str:
    return f"FACEGAN_{_digest(order.run_url).upper()}_{order.number}"


def numbers(secrets: Sequence[str], run_url: str) -> Iterator[tuple[int, str]]:
    """The sessions of the run that have a secret among these, each with its name."""
    mine = _digest(run_url).upper()
    for name in secrets:
        found = SECRET.fullmatch(name)
        if found is not None and found["run"] == mine:
            yield int(found["number"]), name


def _digest(run_url: str) -> str:
    return hashlib.sha256(run_url.encode()).hexdigest()[:16]
