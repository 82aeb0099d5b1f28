"""`python -m tests.ec2.submitting HOME ENDPOINT`: one session, submitted by a process of its own that can be killed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan.accounts import Credentials
from jobs.backends.base import Order
from jobs.backends.ec2.backend import Ec2Backend
from jobs.backends.machines import World
from jobs.settings import Settings
from tests.cloud.servers import BUCKET

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/facegan@sha256:" + "5" * 64
RUN = "dcgan-k7f3"


def settings(home: Path, endpoint: str, **more: str) -> Settings:
    mine = {"backend": "ec2", "tracking": "", "image": IMAGE, "ami": "/facegan/ami", **more}
    return Settings(home=home, store=store(endpoint), **mine)


def store(endpoint: str) -> str:
    return f"s3://{BUCKET}/gans?endpoint={endpoint}"


def backend(
    home: Path, endpoint: str, *, wall_s: Callable[[], float] = time.time, region: str | None = None, **more: str
) -> Ec2Backend:
    world = World(environment=os.environ, wall_s=wall_s, sleep=lambda _seconds: None)
    return Ec2Backend(settings(home, endpoint, **more), region, world=world)


def order(endpoint: str, number: int = 1, gpu: str | None = "T4", **more: Any) -> Order:
    bundle = {"image": IMAGE, "id": None, "digest": IMAGE}
    url = more.pop("run_url", f"{store(endpoint)}/runs/{RUN}")
    return Order(run=RUN, run_url=url, number=number, gpu=gpu, bundle=bundle, **more)


def nobody() -> Credentials | None:
    raise AssertionError("a machine has a role: no credentials are made")


if __name__ == "__main__":
    backend(Path(sys.argv[1]), sys.argv[2]).submit(order(sys.argv[2]), nobody)
