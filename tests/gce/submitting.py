"""`python -m tests.gce.submitting`: for each home on standard input, one session, submitted by a process to be killed.

The SDK takes seconds to load. So it is loaded once, and each process that submits is a fork of this one: it prints that
one's id when it begins, and its exit code when it has ended.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan.accounts import Credentials
from jobs.backends import vm
from jobs.backends.base import Order
from jobs.backends.gce.backend import LIFE, GceBackend
from jobs.backends.machines import World
from jobs.settings import Settings
from tests.cloud.servers import BUCKET

IMAGE = "us-central1-docker.pkg.dev/a-project/facegan/facegan@sha256:" + "5" * 64
RUN = "dcgan-k7f3"
STORE = f"gs://{BUCKET}/gans"


def settings(home: Path, **more: str) -> Settings:
    return Settings(home=home, store=STORE, **{"backend": "gce", "tracking": "", "image": IMAGE, **more})


def backend(home: Path, host: str | None = None, *, wall_s: Callable[[], float] = time.time, **more: str) -> GceBackend:
    world = World(environment=os.environ, wall_s=wall_s, sleep=lambda _seconds: None, life=LIFE)
    return GceBackend(settings(home, **more), host, world=world)


def order(number: int = 1, gpu: str | None = "T4", **more: Any) -> Order:
    bundle = {"image": IMAGE, "id": None, "digest": IMAGE}
    said = {"run": RUN, "run_url": f"{STORE}/runs/{RUN}", "bundle": bundle, **more}
    return Order(number=number, gpu=gpu, **said)


def nobody() -> Credentials | None:
    raise AssertionError("a machine has a service account: no credentials are made")


def quick() -> vm.Life:
    """Of a machine that is played."""
    return vm.Life(driver_s=1, pull_s=60, stop_s=25)


def serve() -> None:
    import jobs.backends.gce.client

    del jobs
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            backend(Path(line.strip())).submit(order(), nobody)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    serve()
