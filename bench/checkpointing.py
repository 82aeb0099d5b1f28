"""What committing a checkpoint every ten seconds costs the training.

Stretches of equal length alternate, with and without a checkpoint committed beside them, so that a
machine whose speed drifts slows both alike. "Blocked" is the time the training thread spends copying.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.ledgers import INTENT, LEASE, RESTORED, ledger_with
from facegan import experiment
from facegan.checkpoints import Point
from facegan.committer import Committer, Fresh, Place
from facegan.experiment import Experiment
from facegan.ledger import Ledger
from facegan.runtime import attendant, build_trainer, spawn
from facegan.stopping import StopSignal
from facegan.storage.file import FileStore
from facegan.storage.memory import MemoryStore
from facegan.trainer import Trainer
from jobs import recipe

CADENCE_S = 10.0
PAIRS = 4


def rows() -> Iterator[tuple[str, str, str]]:
    """Experiment, share of time blocked, share of time in all."""
    for name in ("dcgan-mnist", "cogan-mnist"):
        settings = ["evaluation.metric=none", "data.name=mnist-5k"]
        chosen = recipe.resolve(name, settings, device="cpu", cores=2)
        with tempfile.TemporaryDirectory() as folder:
            blocked, whole = _measure(chosen, Path(folder))
        yield name, f"{100 * blocked:.2f} %", f"{100 * whole:.1f} %"


def _measure(chosen: Experiment, folder: Path) -> tuple[float, float]:
    trainer = build_trainer(chosen, "bench", MemoryStore(), attendant(chosen, StopSignal(), print))
    trainer.advance(10)  # compiled by now
    count = max(1, int(CADENCE_S / _seconds(trainer, 20) * 20))
    ledger = _ledger(chosen, folder)
    blocked, ratios = [], []
    for _ in range(PAIRS):
        plain_s = _seconds(trainer, count)
        began = time.perf_counter()
        copying_s, finish = _commit(trainer, ledger, chosen)
        trained_s = _seconds(trainer, count)
        finish()
        blocked.append(copying_s / (time.perf_counter() - began))
        ratios.append((copying_s + trained_s) / plain_s - 1)
    return statistics.median(blocked), statistics.median(ratios)


def _seconds(trainer: Trainer, steps: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        trainer.advance(1)
    return time.perf_counter() - began


def _commit(trainer: Trainer, ledger: Ledger, chosen: Experiment):  # noqa: ANN202 - seconds, and a function to wait
    place = Place(
        ledger=ledger,
        session=1,
        policy=chosen.checkpoint,
        stop=StopSignal(),
        clock=time.monotonic,
        sleep=time.sleep,
        spawn=spawn,
        say=lambda _: None,
    )
    committer = Committer(place)
    points = [Point(step=trainer.step, at=0, values={"loss": 0.0})]
    began = time.perf_counter()
    serialise = trainer.snapshot()
    copying_s = time.perf_counter() - began
    committer.start(trainer.step, serialise, Fresh(points=points))
    return copying_s, lambda: committer.finish(None)


def _ledger(chosen: Experiment, folder: Path) -> Ledger:
    """A run with a session that holds its lease."""
    longer = experiment.override(chosen, ["training.steps=1000000"])
    return ledger_with(FileStore(folder), "bench", longer, INTENT, LEASE, RESTORED)
