"""Between the lease and the first step the data come: what a session does when they do not, or when it is to stop.

The session and the fetch are real, with their threads; only what would be trained is a toy.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from facegan import layout, prepared, runtime
from facegan import session as wire
from facegan.attended import Attendant
from facegan.errors import SessionExit
from facegan.experiment import Experiment, override
from facegan.ledger import State
from facegan.lock import alone
from facegan.prepared import Manifest, local, manifest
from facegan.stopping import LOST_LEASE, StopSignal
from facegan.storage.base import LARGEST, ObjectStore
from facegan.storage.file import FileStore
from facegan.storage.memory import MemoryStore
from tests.fakes import datasets
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    append,
    ask,
    assert_untouched,
    create,
    ledger_of,
    raw_entries,
)
from tests.fakes.killing import SilentStore, WatchedStore
from tests.fakes.toy import ToyTrainer
from tests.waiting import until

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="NumPy is not installed")

ROOT = Path(__file__).parents[2]
PART = 1_024  # of these tests: the data are eight parts and a table
PROMPT_S = 40.0  # within a second or so, and sooner than what it would wait for, on a machine that is slow and busy


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (manifest, local):
        monkeypatch.setattr(module, "PART_BYTES", PART)
    monkeypatch.setattr(runtime, "TRAINER", f"{__name__}:build")


def build(experiment: Experiment, _images: object, *, run: str) -> ToyTrainer:
    assert run == RUN
    return ToyTrainer(experiment)


class DammedStore(WatchedStore):
    """Gives so many parts of prepared data; whoever asks for the next one waits until it is let go."""

    def __init__(self, store: ObjectStore, parts: int) -> None:
        super().__init__(store)
        self.is_asked, self.let_go = threading.Event(), threading.Event()
        self._left = parts

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        if "/images/" in key:
            self._left -= 1
            if self._left < 0:
                self.is_asked.set()
                self.let_go.wait(60)
        return super().get(key, at_most=at_most)


@dataclass(kw_only=True)
class World:
    """A run whose data are in its store, and a machine that has nothing yet."""

    store: ObjectStore
    home: Path
    manifest: Manifest
    stop: StopSignal = field(default_factory=StopSignal)
    silence_s: float = 600.0
    clock: Callable[[], float] = time.monotonic
    said: list[str] = field(default_factory=list)

    def session(self, through: ObjectStore, number: int | None = None) -> Session:
        attendant = Attendant(
            stop=self.stop, spawn=runtime.spawn, clock=self.clock, say=self.said.append, silence_s=self.silence_s
        )
        return Session(
            store=through,
            holder=f"holder-{number}",
            number=number,
            build=lambda experiment: runtime.build_trainer(experiment, RUN, through, attendant),
            repeat=runtime.repeat,
            stop=self.stop,
        )

    def start(self, through: ObjectStore) -> Callable[[], SessionExit]:
        """Start a session beside the test; what is returned waits for its end, which must come promptly."""
        ended: list[SessionExit] = []
        session = self.session(through, ask(self.store))
        thread = threading.Thread(target=lambda: ended.append(session.run()), daemon=True)
        thread.start()

        def end() -> SessionExit:
            thread.join(PROMPT_S)
            assert ended, "it does not stop"
            return ended[0]

        return end

    @property
    def beats(self) -> int:
        beat = wire.read(self.store, RUN, 1)
        return beat.counter if beat else 0

    @property
    def report(self) -> dict[str, Any]:
        last = raw_entries(self.store)[-1]
        assert last["kind"] == "report"
        return last

    def assert_the_next_session_fetches_only(self, parts: int) -> None:
        watched = WatchedStore(self.store)
        ask(self.store, resume=True)
        self.stop = StopSignal()
        assert self.session(watched).run() is SessionExit.FINISHED
        fetched = [it for it in watched.operations if it.verb == "get" and "/images/" in it.key]
        assert len(fetched) == parts
        assert_untouched(self.store)


@pytest.fixture
def world(boring_environment: Path, tmp_path: Path) -> World:
    return made(MemoryStore(), boring_environment, tmp_path / "mine")


def made(store: ObjectStore, home: Path, elsewhere: Path) -> World:
    filled = datasets.fill(store, elsewhere)
    assert len(filled.images) == 8
    chosen = ["data.name=my-faces", f"data.digest={filled.digest}", "session.heartbeat_s=0.02"]
    create(store, override(SHORT, chosen))
    return World(store=store, home=home, manifest=filled)


def test_the_heart_beats_while_the_data_come_and_the_user_s_stop_is_heard(world: World) -> None:
    dammed = DammedStore(world.store, parts=5)
    end = world.start(dammed)
    assert dammed.is_asked.wait(60)
    before = world.beats
    until(lambda: world.beats > before + 1)
    append(ledger_of(world.store), "stop")
    assert end() is SessionExit.INTERRUPTED
    assert ledger_of(world.store).refresh().state is State.STOPPED
    assert (world.report["outcome"], world.report["why"], world.report["step"]) == (
        "interrupted",
        "stopped by the user",
        0,
    )
    dammed.let_go.set()
    world.assert_the_next_session_fetches_only(2)  # the sixth, which it had asked for, came and was kept


def test_a_session_that_lost_its_lease_while_the_data_come_says_nothing_more(world: World) -> None:
    dammed = DammedStore(world.store, parts=5)
    end = world.start(dammed)
    assert dammed.is_asked.wait(60)
    append(ledger_of(world.store), "lost", session=1, why="for a test")
    before = [entry["kind"] for entry in raw_entries(world.store)]
    assert end() is SessionExit.NOT_HOLDER
    assert world.stop.cause is LOST_LEASE
    assert [entry["kind"] for entry in raw_entries(world.store)] == before
    dammed.let_go.set()
    world.assert_the_next_session_fetches_only(2)


def test_data_that_hang_are_noticed(world: World) -> None:
    """However slowly those that do not hang come: the time of silence is over when one of them hangs."""
    dammed = DammedStore(world.store, parts=5)
    world.clock = lambda: time.monotonic() + (2 * world.silence_s if dammed.is_asked.is_set() else 0.0)
    end = world.start(dammed)
    assert end() is SessionExit.FAILED
    assert world.report["why"] == "nothing was heard of the data for 600 s"
    dammed.let_go.set()
    world.clock = time.monotonic
    world.assert_the_next_session_fetches_only(2)


def test_waiting_for_another_session_of_this_machine_is_no_silence(world: World) -> None:
    world.clock = lambda: 0.6 * world.silence_s * len(world.said)  # from one word to the next
    with alone(world.home / "data" / world.manifest.name / ".lock"):
        end = world.start(world.store)
        until(lambda: len(world.said) > 5)
    assert end() is SessionExit.FINISHED
    assert "another process is bringing my-faces to this machine" in world.said


# Data that cannot be had


def run(world: World, through: ObjectStore | None = None) -> tuple[SessionExit, str]:
    session = world.session(through or world.store, ask(world.store))
    code = session.run()
    return code, "\n".join(session.said)


def test_data_that_are_nowhere_are_bad_input_and_the_way_out_is_said(world: World) -> None:
    kept = {key: world.store.get(key) for key in world.store.list(layout.DATASETS)}
    for key in kept:
        world.store.delete(key)
    code, said = run(world)
    assert code is SessionExit.BAD_INPUT
    digest = f"{world.manifest.digest[:12]}…"
    assert world.report["outcome"] == "failed"
    assert world.report["why"] == f'prepared "my-faces" {digest} is neither on this machine nor in its run\'s store'
    assert f"hint: on a machine that has it: facegan-job data prepare my-faces --store {world.store.url}" in said
    assert "Traceback" not in said
    for key, data in kept.items():
        world.store.put(key, data)
    world.assert_the_next_session_fetches_only(8)


def test_data_that_are_damaged_in_the_store_are_named(world: World) -> None:
    key = layout.dataset_part(world.manifest.name, world.manifest.digest, 3)
    whole = world.store.get(key)
    world.store.put(key, b"x" + whole[1:])
    code, said = run(world)
    assert code is SessionExit.FAILED
    assert key in world.report["why"]
    assert "has another SHA-256" in world.report["why"]
    assert "hint: delete it there; then" in said
    assert "Traceback" not in said
    world.store.put(key, whole)
    world.assert_the_next_session_fetches_only(5)


def test_data_that_are_damaged_on_this_machine_are_fetched_again(world: World) -> None:
    folder = prepared.fetch(world.store, world.manifest.name, world.manifest.digest, world.home, str)
    images = folder / layout.IMAGES
    whole = images.read_bytes()
    images.write_bytes(whole[:-1] + b"x")
    world.assert_the_next_session_fetches_only(1)
    assert images.read_bytes() == whole
    assert any(said.startswith(f'"{images}" is damaged in bytes ') for said in world.said)


def test_data_that_are_damaged_on_this_machine_and_nowhere_else_are_named_and_left_as_they_are(world: World) -> None:
    folder = prepared.fetch(world.store, world.manifest.name, world.manifest.digest, world.home, str)
    for key in world.store.list(layout.DATASETS):
        world.store.delete(key)
    images = folder / layout.IMAGES
    whole = images.read_bytes()
    images.write_bytes(whole[:-1] + b"x")
    code, said = run(world)
    assert code is SessionExit.FAILED
    assert world.report["why"].startswith(f'"{images}" is damaged in bytes ')
    assert (
        "hint: a session fetches it again from a store that has it; or make it again: facegan-job data prepare" in said
    )
    assert images.read_bytes() == whole[:-1] + b"x"
    images.write_bytes(whole)
    world.assert_the_next_session_fetches_only(0)


def test_a_store_that_does_not_answer_for_the_data_is_no_failure(world: World) -> None:
    silent = SilentStore(world.store, lambda it: it.verb == "get" and it.key.endswith("images/000003"))
    code, said = run(world, silent)
    assert code is SessionExit.INTERRUPTED
    assert "no answer to" in said
    assert raw_entries(world.store)[-1]["kind"] == "lease"
    append(ledger_of(world.store), "lost", session=1, why="its process is gone")
    world.assert_the_next_session_fetches_only(5)


# The real process


DAMMED = """
import sys, tests.kill.test_data_before_training as here
from facegan import runtime
from facegan.prepared import local, manifest
for module in (manifest, local):
    module.PART_BYTES = here.PART
runtime.open_store = lambda url: here.DammedStore(here.FileStore.open(url), 5)
sys.exit(runtime.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="its signals are others")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_the_data_come_ends_the_process_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, url = tmp_path / "home", (tmp_path / "store").as_uri()
    world = made(FileStore.open(url), home, tmp_path / "mine")
    partial = home / "data" / "my-faces" / f".{world.manifest.digest}" / layout.IMAGES
    child = subprocess.Popen(
        [sys.executable, "-c", DAMMED, layout.run_url(url, RUN), "--session", str(ask(world.store))],
        env={**os.environ, "FACEGAN_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: world.beats > 3 and partial.exists() and partial.stat().st_size >= 5 * PART)
    child.send_signal(getattr(signal, name))
    assert child.wait(PROMPT_S) == SessionExit.INTERRUPTED
    assert world.report["why"] == f"received {name}"
    monkeypatch.setenv("FACEGAN_HOME", str(home))
    world.assert_the_next_session_fetches_only(3)
