"""How a session's machine is called and labelled, and what makes two requests for it one.

Names and labels of Compute Engine take fewer letters than the id of a run. So what does not fit is put in by its
digest, and the id itself is among the machine's metadata.
"""

from __future__ import annotations

import hashlib
import re
import uuid

from jobs.backends.base import Order, digest

RUN, SESSION, URL = "facegan-run", "facegan-session", "facegan-url"
LONGEST = 63
_FITS = re.compile(r"[a-z0-9_-]{1,63}")


def name(order: Order) -> str:
    """Also of the container on it; at one place there is no second machine of a name."""
    end = f"-{order.number}-{digest(order.run_url)[:10]}"
    begin = f"facegan-{re.sub('[^a-z0-9]+', '-', order.run)}"
    return f"{begin[: LONGEST - len(end)].rstrip('-')}{end}"


def labels(order: Order) -> dict[str, str]:
    return {RUN: label(order.run), SESSION: str(order.number), URL: digest(order.run_url)}


def label(text: str) -> str:
    """The text where labels take it, else what tells it from all others."""
    return text if _FITS.fullmatch(text) else f"sha256-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def filters(order: Order) -> str:
    """What finds the session's machine, in whatever state it is."""
    return f'({of_run(order.run_url)}) AND (labels.{SESSION} = "{order.number}")'


def of_run(run_url: str) -> str:
    return f'labels.{URL} = "{digest(run_url)}"'


def ours() -> str:
    """What finds every machine of ours, whichever run it is of."""
    return f"labels.{URL}:*"


def operations(name: str) -> str:
    """What finds what was done to the machines of a name, for the two weeks in which Google remembers."""
    return f'targetLink eq ".*/instances/{name}"'


def request_id(order: Order, type: str, zone: str) -> str:
    """Of two requests with one id, Compute Engine answers the second with what it does for the first."""
    said = f"{order.run_url} {order.number} {type} {zone}"
    return str(uuid.UUID(bytes=hashlib.sha256(said.encode()).digest()[:16], version=4))
