"""`python -m tests.colab.submitting HOME BIN`: one session, submitted by a process of its own that can be killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan.accounts import Credentials
from jobs.backends.base import Order
from jobs.backends.colab.backend import ColabBackend, Times, World
from jobs.backends.colab.command import Limits
from jobs.refusals import Refusal
from jobs.settings import Settings

STORE = "s3://bucket/prefix?endpoint=http://127.0.0.1:1"  # where nobody answers: sessions end at once
QUICK = Limits(stay_s=0.1)
SOON = Times(missing_s=0.1)
CANARY = "canary-5c1d9e20"


def backend(
    home: Path,
    folder: Path,
    *,
    store: str = STORE,
    limits: Limits = QUICK,
    wall_s: Callable[[], float] = time.time,
    times: Times = SOON,
    chosen: str = "colab",
) -> ColabBackend:
    """One whose command is in this folder, and which waits for little."""
    settings = Settings(home=home, store=store, backend=chosen, tracking="")
    environment = {**os.environ, "HOME": str(home), "PATH": f"{folder}:{os.environ.get('PATH', os.defpath)}"}
    world = World(
        environment=environment,
        wall_s=wall_s,
        sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
        limits=limits,
        times=times,
    )
    return ColabBackend(settings, world=world)


def order(number: int = 1, **more: Any) -> Order:
    run = more.pop("run", "dcgan-k7f3")
    return Order(run=run, run_url=f"{STORE}/runs/{run}", number=number, **more)


def hand() -> Credentials:
    return Credentials(environment={"AWS_SECRET_ACCESS_KEY": CANARY}, files={"A_FILE": CANARY.encode()})


def nobody() -> Credentials:
    raise AssertionError("no credentials are made for a session that is there")


def words(refusal: Refusal) -> str:
    return f"{refusal.message} {refusal.hint}"


if __name__ == "__main__":
    backend(Path(sys.argv[1]), Path(sys.argv[2])).submit(order(), hand)
