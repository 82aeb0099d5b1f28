"""What `ps` costs over many runs: it should grow with those that live, not with those that have ended."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.ledgers import INTENT, LEASE, RESTORED, ledger_with
from facegan import layout
from facegan.ledger import Wish
from facegan.storage.memory import MemoryStore
from jobs import recipe

LIVE = 20
ROUNDS = 5


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Ended runs, seconds the first time (nothing remembered), seconds from then on, ratio to none ended."""
    none_s = 0.0
    for ended in (0, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            _fill(Path(folder) / "store", ended)
            first_s = _ps(folder)
            again_s = statistics.median(_ps(folder) for _ in range(ROUNDS))
            none_s = none_s or again_s
            yield f"{ended:,}", f"{first_s:.2f} s", f"{again_s:.2f} s", f"{again_s / none_s:.2f}"


def _ps(home: str) -> float:
    began = time.perf_counter()
    code = "import sys; from jobs.cli import run; sys.exit(run(['ps']))"
    environment = {**os.environ, "FACEGAN_HOME": home}
    subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _fill(root: Path, ended: int) -> None:
    """Write live and ended runs: plain files, since nobody reads them yet."""
    for number in range(LIVE + ended):
        name = f"run-{number:05d}"
        for key, data in _objects(name, finished=number >= LIVE).items():
            path = root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _objects(run: str, *, finished: bool) -> dict[str, bytes]:
    store = MemoryStore()
    chosen = recipe.resolve("dcgan-mnist", ["training.steps=10"], device="cpu", cores=2)
    objects = {layout.STATE: {"size": 1, "sha256": "0" * 64}}  # nobody reads it
    told = {"session": 1, "step": 10, "parent": -1, "key": layout.checkpoint(run, 10, 1), "objects": objects}
    last = Wish(kind="checkpoint", body={**told, "took_s": 0.1})
    report = Wish(kind="report", body={"session": 1, "outcome": "finished", "step": 10, "why": "done"})
    wishes = [INTENT, LEASE, RESTORED, last, report] if finished else [INTENT]
    ledger_with(store, run, chosen, *wishes)
    return dict(store.objects)
