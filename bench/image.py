"""The image: what each of its layers takes, and how long it is built again after one changed line.

Builds upon `FACEGAN_TEST_BASE` where that is set, as the tests do.
"""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Iterator

from jobs import bundle, engine, image

ROUNDS = 3
TAG = "facegan-job:bench-cpu"
PLAN = image.Plan(device="cpu", tag=TAG, base=os.environ.get("FACEGAN_TEST_BASE"), network="host")


def rows() -> Iterator[tuple[str, str]]:
    """What, and how much of it."""
    client = engine.connect(None)
    _built(client)
    for step in client.api.history(TAG):
        if step["Size"]:
            yield f"layer: {step['CreatedBy'].partition('#(nop)')[2].strip()[:40] or 'base'}", _mb(step["Size"])
    yield "in all", _mb(client.api.inspect_image(TAG)["Size"])
    yield "built again, nothing changed", f"{_built(client):.1f} s"
    code = bundle.code
    try:
        times = []
        for _ in range(ROUNDS):
            changed = code() | {"facegan/__init__.py": code()["facegan/__init__.py"] + f"# {uuid.uuid4()}\n".encode()}
            bundle.code = lambda _packages, changed=changed: changed
            times.append(_built(client))
        yield "built again, one line changed", f"{statistics.median(times):.1f} s"
    finally:
        bundle.code = code
        client.api.remove_image(TAG)


def _built(client: engine.docker.DockerClient) -> float:
    began = time.monotonic()
    image.build(client, PLAN, lambda _line: None)
    return time.monotonic() - began


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
