"""From the start of a session's process to its first new step: on a fresh run, and taking one up again.

The first step's own wall time, as committed, is what is read; processes are started as the local backend does.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from facegan import layout
from facegan.history import History
from facegan.ledger import Ledger
from jobs import context, launch, recipe, settings

ROUNDS = 3


def rows() -> Iterator[tuple[str, str, str]]:
    """How it began, seconds to the first new step, ratio to a cold start."""
    cold, reported, lost = [], [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            run = _Run(Path(folder))
            cold.append(run.session(signal.SIGTERM))
            reported.append(run.session(signal.SIGKILL))
            lost.append(run.session(signal.SIGTERM))
    for name, times in (("cold", cold), ("after a report", reported), ("after a lost session", lost)):
        middle = statistics.median(times)
        yield name, f"{middle:.1f} s", f"{middle / statistics.median(cold):.2f}"


class _Run:
    """One run in a folder of its own, given session after session."""

    def __init__(self, folder: Path) -> None:
        os.environ["FACEGAN_HOME"] = str(folder)
        self._context = context.real(settings.load())
        overrides = ["training.steps=100000", "checkpoint.every_s=2", "evaluation.metric=none"]
        chosen = recipe.resolve("dcgan-mnist", overrides, device="cpu", cores=2)
        self._ledger: Ledger = launch.create(self._context, "bench", chosen)

    def session(self, end: signal.Signals) -> float:
        """Run a session until it has committed twice, end it so; seconds from its start to its first step."""
        before = self._ledger.refresh().reached
        launch.bury(self._context, self._ledger)
        began = time.time()
        url = layout.run_url(self._context.store.url, "bench")
        child = subprocess.Popen([sys.executable, "-m", "facegan", "run", url], stdout=subprocess.DEVNULL)
        commits = len(self._ledger.fold.good)
        while len(self._ledger.refresh().good) == commits or self._ledger.fold.reached == before:
            time.sleep(0.1)
        child.send_signal(end)
        child.wait()
        return self._first_at(before) - began

    def _first_at(self, after: int) -> float:
        history = History(ledger=self._ledger)
        points = [point for entry in history.checkpoints() for point in history.points(entry)]
        return min(point.at for point in points if point.step > after) / 1000
