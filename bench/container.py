"""A session in a container beside one that is a process here: how fast it trains, and how soon it begins.

Both are submitted by the same command, take turns, and commit to the same S3 (moto, a process of this machine). The
rate is read off the wall times that were committed with the steps, but for the first; the ratio is the median of the
pairs'. The start is what passes from typing `submit` to the first step, with the image on the engine.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan import __version__
from facegan.history import History
from jobs import engine as engines
from tests.cloud import servers
from tests.container import runs
from tests.e2e.runs import RUN

PLACES = {"outside": "local", "in a container": "docker"}
ROUNDS = 5
STEPS = 400
BEFORE = 100  # steps that are not looked at: TensorFlow traces the first, and caches warm up


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """Milliseconds a step, and seconds from `submit` to the first one."""

    step_ms: float
    start_s: float


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Place; milliseconds a step and the rate against outside; seconds to the first step (medians, least and most)."""
    engine = engines.connect(None)
    image = os.environ.get("FACEGAN_IMAGE", f"facegan-job:{__version__}-cpu")
    os.environ.update(servers.NOBODY)
    sessions: dict[str, list[_Session]] = {place: [] for place in PLACES}
    with servers.moto() as moto:
        for _ in range(ROUNDS):
            for place, backend in PLACES.items():
                sessions[place].append(_session(engine, image, moto, backend))
    for place, each in sessions.items():
        pairs = zip(sessions["outside"], each, strict=True)
        rate = statistics.median(outside.step_ms / here.step_ms for outside, here in pairs)
        yield (
            place,
            _spread([one.step_ms for one in each], "ms"),
            f"{rate:.2f}x",
            _spread([one.start_s for one in each], "s"),
        )


def _session(engine: Any, image: str, moto: str, backend: str) -> _Session:  # noqa: ANN401 - the SDK's
    settings = (f"training.steps={STEPS}", "training.threads=2", "evaluation.metric=none", "samples.every_steps=400")
    changes = [word for setting in settings for word in ("--set", setting)]
    with (
        tempfile.TemporaryDirectory() as home,
        runs.at_an_engine(engine, runs.address_of(engine), image, moto, Path(home)) as user,
    ):
        began = time.time()
        answer = user.command("submit", "dcgan-mnist", "--name", RUN, "-d", "--backend", backend, *changes)
        ended = user.command("wait", RUN)
        if answer.code or ended.code:
            sys.exit(answer.err + ended.err)
        ledger = user.context.ledger(RUN)
        ledger.refresh()
        history = History(ledger=ledger)
        at = {point.step: point.at / 1e3 for entry in history.checkpoints() for point in history.points(entry)}
    return _Session(step_ms=1e3 * (at[STEPS] - at[BEFORE]) / (STEPS - BEFORE), start_s=at[1] - began)


def _spread(values: list[float], unit: str) -> str:
    return f"{statistics.median(values):.1f} {unit} ({min(values):.1f} to {max(values):.1f})"
