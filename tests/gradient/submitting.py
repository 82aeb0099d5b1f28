"""`python -m tests.gradient.submitting HOME URL`: one session, submitted by a process of its own that can be killed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan.accounts import Credentials
from jobs.backends.base import Order
from jobs.backends.gradient.backend import GradientBackend, World
from jobs.settings import Settings
from tests.fakes.gradient import KEY

IMAGE = "registry.example.com/facegan@sha256:" + "5" * 64
RUN = "dcgan-k7f3"
URL = f"s3://bucket/gans/runs/{RUN}"
CANARY = "canary-of-the-store"


def backend(home: Path, url: str, *, key: str = KEY, wall_s: Callable[[], float] = lambda: 0.0) -> GradientBackend:
    environment = {"PAPERSPACE_API_URL": url, "PAPERSPACE_API_KEY": key}
    world = World(environment=environment, wall_s=wall_s, sleep=lambda _seconds: None)
    settings = Settings(home=home, store="s3://bucket/gans", backend="gradient", tracking="", image=IMAGE)
    return GradientBackend(settings, world=world)


def order(number: int = 1, gpu: str | None = "A4000", **more: Any) -> Order:
    bundle = {"image": IMAGE, "id": None, "digest": IMAGE}
    return Order(run=RUN, run_url=more.pop("run_url", URL), number=number, gpu=gpu, bundle=bundle, **more)


def hand() -> Credentials | None:
    return Credentials(environment={"AWS_SECRET_ACCESS_KEY": CANARY}, files={})


if __name__ == "__main__":
    backend(Path(sys.argv[1]), sys.argv[2]).submit(order(), hand)
