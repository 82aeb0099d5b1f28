"""Kills while checkpoints are committed by a thread of their own, and the heart beats in another."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.experiment import Experiment, override
from facegan.storage.base import ObjectStore
from tests.fakes.driving import SHORT, STORES, Session, assert_untouched, begun, resume
from tests.fakes.killing import Death, Killed, MortalStore
from tests.fakes.toy import ToyTrainer

QUICK = override(SHORT, ["session.heartbeat_s=0.003"])
SEEDS = 40


class Threads:
    """Threads of one process: when the process dies they all do."""

    def __init__(self) -> None:
        self._all: list[threading.Thread] = []

    def spawn(self, work: Callable[[], None]) -> Callable[[float | None], bool]:
        thread = self._start(work)

        def wait(seconds: float | None) -> bool:
            thread.join(seconds)
            return not thread.is_alive()

        return wait

    def repeat(self, work: Callable[[], None], every_s: float) -> Callable[[], None]:
        ended = threading.Event()

        def loop() -> None:
            while not ended.wait(every_s):
                work()

        thread = self._start(loop)

        def end() -> None:
            ended.set()
            thread.join()

        return end

    def join(self) -> None:
        for thread in self._all:
            thread.join(10.0)
            assert not thread.is_alive()

    def _start(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            with contextlib.suppress(Killed):
                work()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._all.append(thread)
        return thread


class HurriedToy(ToyTrainer):
    """A toy whose steps take seeded moments, and that dies with its process."""

    def __init__(self, experiment: Experiment, dice: random.Random, store: MortalStore) -> None:
        super().__init__(experiment)
        self._dice = dice
        self._store = store

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        time.sleep(self._dice.choice([0.0, 0.0, 0.0005, 0.002]))
        if self._store.dead:
            raise Killed
        return super().advance(steps)


def run_and_kill(store: ObjectStore, at: int, death: Death, seed: int) -> None:
    mortal, threads, dice = MortalStore(store, at, death), Threads(), random.Random(seed)
    session = Session(
        store=mortal,
        holder="first",
        number=1,
        build=lambda experiment: HurriedToy(experiment, dice, mortal),
        spawn=threads.spawn,
        repeat=threads.repeat,
    )
    with contextlib.suppress(Killed):
        session.run()
    threads.join()


def resume_beside(store: ObjectStore, holder: str) -> SessionExit:
    """Go on with threads too, and nobody dies."""
    threads = Threads()
    session = Session(store=store, holder=holder, spawn=threads.spawn, repeat=threads.repeat)
    code = session.run()
    threads.join()
    return code


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.usefixtures("unsynced")
def test_killed_at_any_moment_of_a_threaded_session_a_run_ends_like_an_untouched_one(kind: str, tmp_path: Path) -> None:
    for seed in range(SEEDS):
        store = begun(kind, tmp_path / str(seed), QUICK)
        run_and_kill(store, 2 * seed, list(Death)[seed % 3], seed)
        assert (resume_beside if seed % 2 else resume)(store, "second") is SessionExit.FINISHED
        assert_untouched(store)


@pytest.mark.long
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.usefixtures("unsynced")
def test_thousands_of_seeds(kind: str, tmp_path: Path) -> None:
    for seed in range(2_000 if kind == "memory" else 500):
        store = begun(kind, tmp_path / str(seed), QUICK)
        run_and_kill(store, seed % 97, list(Death)[seed % 3], seed)
        assert resume(store, "second") is SessionExit.FINISHED
        assert_untouched(store)
