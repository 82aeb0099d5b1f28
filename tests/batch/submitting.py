"""`python -m tests.batch.submitting HOME ENDPOINT`: one session, submitted by a process that can be killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from jobs.backends.base import Order
from jobs.backends.batch.backend import BatchBackend
from jobs.backends.outside import Outside
from jobs.settings import Settings
from tests.ec2.submitting import RUN, nobody, store


def settings(home: Path, endpoint: str, **more: str) -> Settings:
    return Settings(home=home, store=store(endpoint), **{"backend": "batch", "tracking": "", **more})


def backend(home: Path, endpoint: str, *, wall_s: Callable[[], float] = time.time, **more: str) -> BatchBackend:
    world = Outside(environment=os.environ, wall_s=wall_s, sleep=lambda _seconds: None)
    return BatchBackend(settings(home, endpoint, **more), world=world)


def order(here: BatchBackend, endpoint: str, number: int = 1) -> Order:
    url = f"{store(endpoint)}/runs/{RUN}"
    return Order(run=RUN, run_url=url, number=number, gpu="T4", bundle=here.bundle("T4"))


if __name__ == "__main__":
    place = backend(Path(sys.argv[1]), sys.argv[2])
    place.submit(order(place, sys.argv[2]), nobody)
