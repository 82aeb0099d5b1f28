"""How a session is called in Colab's account, and where its files are on the machine there."""

from __future__ import annotations

import hashlib
import re

from facegan import layout
from jobs.backends.base import Order
from jobs.backends.colab import facts
from jobs.refusals import InvalidJob

LONGEST_RUN = 40
BUNDLE, HANDED, STARTED, ENDED, LOG = "session.pyz", "handed.json", "started.json", "ended.json", "log.txt"


def prefix(run: str, run_url: str) -> str:
    """What the names of all of a run's sessions begin with. The digits tell apart runs of one id in two stores."""
    digits = hashlib.sha256(run_url.encode()).hexdigest()[:6]
    slug = re.sub(r"[^a-z0-9]+", "-", run.lower())[:LONGEST_RUN].strip("-")
    return f"facegan-{slug}-{digits}"


def name(order: Order) -> str:
    """The session of this order."""
    return f"{prefix(order.run, order.run_url)}-{order.number}"


def number_of(session: str, run_url: str) -> int | None:
    """Which number of the run this session is; `None` for what is not one of it."""
    _, run = layout.split_run_url(run_url)
    found = re.fullmatch(rf"{re.escape(prefix(run, run_url))}-([0-9]+)", session)
    return int(found[1]) if found else None


def folder(session: str) -> str:
    """Where the session's files are on its machine."""
    return f"/content/{session}"


def gpu(asked: str | None) -> facts.Accelerator | None:
    """The GPU as Colab knows it; `None` for none.

    Raises:
        InvalidJob: it has none of that name, and would give an A100 without a word.
    """
    if asked is None:
        return None
    if (found := facts.accelerator(asked)) is None:
        there = ", ".join(each.gpu for each in facts.ACCELERATORS)
        raise InvalidJob(f'Colab has no GPU "{asked}"', hint=f"it has {there}")
    return found
