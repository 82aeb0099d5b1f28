"""What is pushed for a session: one private kernel of its own, whose name is the session's for ever.

The name is the key to idempotence: Kaggle would start a second session of a kernel that is pushed again.
"""

from __future__ import annotations

import hashlib
import re

from facegan.experiment import Json
from jobs.backends.base import Order
from jobs.backends.kaggle import facts
from jobs.refusals import InvalidJob

SITE = "https://www.kaggle.com/code"


def prefix(run: str, run_url: str) -> str:
    """What the names of all of a run's kernels and data sets begin with.

    Kaggle makes a name from a title: lower case, and one "-" for all that is neither letter nor digit. So the
    title is this text too, and comes out as it went in. The digits tell apart runs of one id in two stores.
    """
    digits = hashlib.sha256(run_url.encode()).hexdigest()[:6]
    room = facts.LONGEST_NAME.value - len("facegan---999999-99") - len(digits)
    return f"facegan-{_slug(run)[:room].strip('-')}-{digits}"


def name(order: Order) -> str:
    """The kernel of this session."""
    return session_name(order.run, order.run_url, order.number)


def session_name(run: str, run_url: str, number: int) -> str:
    return f"{prefix(run, run_url)}-{number}"


def dataset_name(order: Order, attempt: int) -> str:
    """The data set that carries what the session is handed: one for each attempt to submit it."""
    return f"{name(order)}-{attempt}"


def number_of(dataset: str, run: str, run_url: str) -> int | None:
    """Which session's data set this is; `None` for what is not one of this run."""
    found = re.fullmatch(rf"{re.escape(prefix(run, run_url))}-([0-9]+)-[0-9]+", dataset)
    return int(found[1]) if found else None


def ref(owner: str, order: Order) -> Json:
    """What names the session from now on. Known before it is pushed, so it can be handed to the session itself."""
    kernel = f"{owner}/{name(order)}"
    return {"kernel": kernel, "url": f"{SITE}/{kernel}"}


def shape(gpu: str | None) -> str | None:
    """The GPU as Kaggle spells it.

    Raises:
        InvalidJob: it has none of that name, or not any more: it would give another without a word.
    """
    if gpu is None:
        return None
    if (found := facts.accelerator(gpu)) is not None:
        return found.shape
    there = f"it has {', '.join(each.gpu for each in facts.ACCELERATORS)}"
    if (gone := facts.retired(gpu)) is not None:
        raise InvalidJob(f'the GPU "{gone.gpu}" is retired at Kaggle, since {gone.since}', hint=there)
    raise InvalidJob(f'Kaggle has no GPU "{gpu}" for everybody', hint=there)


def source(order: Order) -> facts.Source | None:
    """The data set of Kaggle's that the session has to prepare its data from, if it has to.

    Raises:
        InvalidJob: Kaggle has none.
    """
    if order.prepares is None:
        return None
    if (found := facts.source(order.prepares)) is None:
        raise InvalidJob(
            f'no data set of Kaggle\'s is known to hold "{order.prepares}"',
            hint=f"facegan-job data prepare {order.prepares}, then facegan-job resume {order.run}",
        )
    return found


def cards(gpu: str | None) -> int:
    """How many GPUs a session is given that asks for one of this name, or for none."""
    found = None if gpu is None else facts.accelerator(gpu)
    return found.cards if found else 0


def request(owner: str, order: Order, text: str, dataset: str) -> Json:
    """The push of this session's kernel, in the form that Kaggle's own client sends.

    Raises:
        InvalidJob: its source is larger than Kaggle is known to take, or there is no such GPU, or no data set that it
            could prepare its data from.
    """
    attached = source(order)
    size = len(text.encode())
    if size > facts.SOURCE_BYTES.value:
        raise InvalidJob(
            f"the kernel's source has {size:,} bytes, and Kaggle takes {facts.SOURCE_BYTES.value:,}",
            hint="this is a defect: the program should have gone into the data set",
        )
    wanted = shape(order.gpu)
    return {
        "slug": f"{owner}/{name(order)}",
        "newTitle": name(order),
        "text": text,
        "language": "python",
        "kernelType": "script",
        "isPrivate": True,
        "enableGpu": wanted is not None,
        "enableInternet": True,
        "datasetDataSources": [f"{owner}/{dataset}", *([attached.ref] if attached else [])],
        **({"machineShape": wanted} if wanted else {}),
    }


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())
