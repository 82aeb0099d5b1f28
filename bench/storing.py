"""What it takes to bring a checkpoint's state to S3 and back, beside `aws s3 cp` on the same server and bytes.

Ours goes up in one request from memory, beside the training; the AWS CLI (from `aws` on the path: `pip install
awscli` in an environment of its own) sends a file, in parts, by ten threads. The time of its own start, that of
copying an empty file, is left out. Ours coming back includes the SHA-256. Both take turns, and what is shown is the
median of the pairs. "Beside" is the rate of a training while a state goes up, as a share of its rate just before;
the server, which is one process of Python on the same machine, takes its part of that. "Blocked" is how long
the training thread waits while the state is copied, as a share of the default cadence.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from facegan.experiment import Checkpoint
from facegan.runtime import attendant, build_trainer
from facegan.stopping import StopSignal
from facegan.storage import open_store
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.trainer import Trainer
from facegan.training.state import State
from jobs import recipe
from tests.cloud import servers

SIZES_MB = (40, 400, 1_500)
PAIRS = 3
LAYER = 1 << 20  # numbers of four bytes each: a state is some hundred arrays, not one


def rows() -> Iterator[tuple[str, ...]]:
    """State; up, down, beside: ours, the CLI's and the ratio; blocked."""
    aws = shutil.which("aws")
    trainer = _trainer()
    os.environ.update(servers.NOBODY)
    with servers.moto() as url, tempfile.TemporaryDirectory() as folder:
        store = open_store(f"s3://{servers.BUCKET}?endpoint={url}")
        for size in SIZES_MB:
            blocked, state = _blocked(size)
            line = _Line(store, trainer, state, None if aws is None else _Cli(aws, url, Path(folder), state))
            yield (f"{size:,} MB", *line.measured(), f"{1e3 * blocked:.0f} ms, {blocked / Checkpoint().every_s:.2%}")
            store.delete("ours")


class _Cli:
    """`aws s3 cp` of one file."""

    def __init__(self, program: str, url: str, folder: Path, state: bytes) -> None:
        self._command = [program, "s3", "cp", "--quiet", "--endpoint-url", url]
        self._file = folder / "state"
        self._file.write_bytes(state)
        self._empty = folder / "empty"
        self._empty.touch()
        self.start_s = statistics.median(_seconds(lambda: self._copy(self._empty, _remote("empty"))) for _ in range(3))

    def up(self) -> None:
        self._copy(self._file, _remote("theirs"))

    def down(self) -> None:
        self._copy(_remote("theirs"), self._file)

    def _copy(self, source: object, target: object) -> None:
        subprocess.run([*self._command, str(source), str(target)], check=True, stdout=subprocess.DEVNULL)


class _Line:
    """One size: each thing measured in turn with the CLI's."""

    def __init__(self, store: ObjectStore, trainer: Trainer, state: bytes, cli: _Cli | None) -> None:
        self._store = store
        self._trainer = trainer
        self._state = state
        self._cli = cli

    def measured(self) -> tuple[str, str, str]:
        up: list[tuple[float, float]] = []
        down: list[tuple[float, float]] = []
        beside: list[tuple[float, float]] = []
        for _ in range(PAIRS):
            up.append((_seconds(self._up), self._theirs(_Cli.up)))
            down.append((_seconds(self._down), self._theirs(_Cli.down)))
            beside.append((self._rate_beside(self._up), self._rate_beside(self._cli_up)))
        return self._speed(up), self._speed(down), _shares(beside)

    def _up(self) -> None:
        self._store.put("ours", self._state)

    def _down(self) -> None:
        hashlib.sha256(self._store.get("ours")).digest()

    def _cli_up(self) -> None:
        if self._cli is not None:
            self._cli.up()

    def _theirs(self, act: Callable[[_Cli], None]) -> float:
        if self._cli is None:
            return float("nan")
        return max(1e-3, _seconds(lambda: act(self._cli)) - self._cli.start_s)  # type: ignore[arg-type]

    def _speed(self, pairs: list[tuple[float, float]]) -> str:
        ours, theirs = (statistics.median(len(self._state) / pair[i] / 1e6 for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        return f"{ours:.0f} and {theirs:.0f} MB/s, {ratio:.2f}"

    def _rate_beside(self, work: Callable[[], None]) -> float:
        """The rate of training while the work goes on, as a share of what it was just before and after."""
        before = self._rate(lambda: True, 2.0)
        thread = threading.Thread(target=work)
        thread.start()
        during = self._rate(thread.is_alive, 1e9)
        thread.join()
        return 2 * during / (before + self._rate(lambda: True, 2.0))

    def _rate(self, goes_on: Callable[[], bool], at_most_s: float) -> float:
        began, steps = time.perf_counter(), 0
        while goes_on() and time.perf_counter() - began < at_most_s:
            self._trainer.advance(1)
            steps += 1
        return steps / (time.perf_counter() - began)


def _shares(pairs: list[tuple[float, float]]) -> str:
    ours, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    return f"{ours:.2f} and {theirs:.2f}"


def _remote(name: str) -> str:
    return f"s3://{servers.BUCKET}/{name}"


def _trainer() -> Trainer:
    changes = ["evaluation.metric=none", "data.name=mnist-5k", "training.steps=1000000"]
    experiment = recipe.resolve("dcgan-mnist", changes, device="cpu", cores=2)
    trainer = build_trainer(experiment, "bench", MemoryStore(), attendant(experiment, StopSignal(), print))
    trainer.advance(10)  # compiled by now
    return trainer


def _blocked(size_mb: int) -> tuple[float, bytes]:
    """How long it takes to copy a state of that size, in seconds, and its bytes."""
    chance = np.random.default_rng(0)
    count = max(1, size_mb * 10**6 // (4 * LAYER))
    variables = {f"layer-{i}": keras.Variable(chance.random(LAYER, np.float32)) for i in range(count)}
    state = State(variables)
    state.snapshot(0)  # the buffers are there by now, as they are from the second checkpoint on
    times = [_seconds(lambda: state.snapshot(0)) for _ in range(PAIRS)]
    return statistics.median(times), state.snapshot(PAIRS)()


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
