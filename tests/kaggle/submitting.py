"""`python -m tests.kaggle.submitting HOME`: one session, submitted by a process of its own that can be killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from facegan.accounts import Credentials
from jobs.backends.base import Order
from jobs.backends.kaggle.backend import KaggleBackend, Times, World
from jobs.settings import Settings

STORE = "s3://bucket/prefix?endpoint=http://127.0.0.1:1"  # where nobody answers: sessions end at once
UNHURRIED = "from jobs.backends.kaggle import api; api.HURRIED = api.Patience(timeout_s=60.0)"
"""For a command's own process, in which no answer of a machine that is busy comes too late."""
CANARY = "canary-1b9e6f7d"


def soon(seconds: float) -> None:
    time.sleep(min(seconds, 0.05))


def backend(
    home: Path,
    sleep: Callable[[float], object] = soon,
    wall_s: Callable[[], float] = time.time,
    chosen: str = "kaggle",
) -> KaggleBackend:
    settings = Settings(home=home, store=STORE, backend=chosen, tracking="")
    world = World(
        environment=dict(os.environ),
        user_home=home,
        sleep=sleep,
        wall_s=wall_s,
        times=Times(missing_s=0.05),
    )
    return KaggleBackend(settings, world=world)


def order(
    number: int = 1, *, run: str = "dcgan-k7f3", gpu: str | None = None, bundle: dict[str, object] | None = None
) -> Order:
    return Order(run=run, run_url=f"{STORE}/runs/{run}", number=number, gpu=gpu, bundle=bundle or {})


def hand() -> Credentials:
    return Credentials(environment={"AWS_SECRET_ACCESS_KEY": CANARY}, files={"A_FILE": CANARY.encode()})


if __name__ == "__main__":
    backend(Path(sys.argv[1])).submit(order(), hand)
