"""After a `cancel`, each session ends at its place: by itself if it hears, else by force, and no other process."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from facegan import process
from facegan.errors import BadInputError
from facegan.experiment import Json
from facegan.ledger import State
from facegan.process import Life
from facegan.storage.memory import MemoryStore
from jobs import settings, word
from jobs.backends import local
from jobs.backends.local import LocalBackend
from jobs.context import Context
from tests.fakes.killing import Killed
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN, Clock, Fate, FatedStore

OBEYS = "print('up', flush=True); import time; time.sleep(600)"
REFUSES = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEYS}"


@contextmanager
def started(program: str = OBEYS) -> Iterator[Json]:
    """A process that stands for a session of this machine."""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child:
        try:
            assert child.stdout.readline()
            found = process.identify(child.pid)
            assert found is not None
            yield dataclasses.asdict(found)
        finally:
            child.kill()


def training(store: MemoryStore, machine: Json) -> None:
    """A run whose only session holds its lease, has committed step 4, and hears nothing."""
    world.create(store)
    world.ask(store)
    world.die(store, machine=machine)


def cancelled(context: Context) -> list[word.Left]:
    ledger = context.ledger(RUN)
    word.cancel(context, ledger)
    return list(word.end(context, ledger, world.quiet))


def test_one_that_hears_makes_its_last_checkpoint_and_is_not_touched(home: Path, store: MemoryStore) -> None:
    time = Clock()
    with started() as machine:
        training(store, machine)
        time.at(7, lambda: world.append_as_holder(store, "report", session=1, outcome="interrupted", step=4, why="ok"))
        assert cancelled(world.context(home, store, time)) == []
        assert process.life(machine) is Life.ALIVE
    assert world.kinds(store)[-1] == "report"
    assert sum(time.slept) < 10


def test_one_that_does_not_is_ended_when_its_time_is_over(home: Path, store: MemoryStore) -> None:
    time = Clock()
    said: list[str] = []
    with started() as machine:
        training(store, machine)
        context = world.context(home, store, time)
        word.cancel(context, context.ledger(RUN))
        assert word.end(context, context.ledger(RUN), said.append) == []
        assert process.life(machine) is Life.GONE
    assert sum(time.slept) >= 60
    assert said == ["session 1 may take up to 70 s for its last checkpoint"]
    assert world.entries(store)[-1]["why"] == "its process is gone"
    assert world.ledger(store).refresh().state is State.CANCELLED


def test_one_that_ignores_the_signal_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.exists()
    (asked, _), killed = local.ENDINGS
    monkeypatch.setattr(local, "ENDINGS", [(asked, 0.3), killed])
    with started(REFUSES) as machine:
        place = LocalBackend(settings.load())
        place.cancel(machine)
        assert process.life(machine) is Life.GONE
        place.cancel(machine)


def test_another_process_that_has_the_id_now_is_left_alone(home: Path) -> None:
    assert home.exists()
    with started() as machine:
        LocalBackend(settings.load()).cancel({**machine, "start": "1"})
        assert process.life(machine) is Life.ALIVE
        with pytest.raises(BadInputError, match='on "another", not here'):
            LocalBackend(settings.load()).cancel({**machine, "host": "another"})
        assert process.life(machine) is Life.ALIVE


def test_one_on_another_machine_is_left_and_said(context: Context, store: MemoryStore) -> None:
    training(store, {**world.alive(), "host": "another"})
    (left,) = cancelled(context)
    assert (left.session, left.backend, left.hint) == (1, "local", "end it there")
    assert world.ledger(store).refresh().open


def test_one_that_never_began_has_nothing_to_wait_for(home: Path, store: MemoryStore) -> None:
    time = Clock()
    world.create(store)
    world.ask(store)
    assert cancelled(world.context(home, store, time)) == []
    assert not time.slept
    assert world.entries(store)[-1]["why"] == "the run was cancelled before it began"


def test_one_of_a_backend_that_this_version_has_not_is_left_and_said(context: Context, store: MemoryStore) -> None:
    world.create(store)
    world.append(store, "intent", session=1, backend="moon", host=None, gpu=None, bundle=None, resume=False)
    (left,) = cancelled(context)
    assert 'nothing is known of "moon" here' in left.why


def steps(home: Path) -> int:
    """In how many places a cancel can be killed."""
    store, fate = MemoryStore(), Fate()
    with started() as machine:
        training(store, machine)
        cancelled(world.context(home, FatedStore(store, fate)))
    return len(fate.steps)


def test_killed_anywhere_and_repeated_it_does_the_rest(home: Path) -> None:
    for at in range(0, steps(home), 7):
        store = MemoryStore()
        with started() as machine:
            training(store, machine)
            with pytest.raises(Killed):
                cancelled(world.context(home, FatedStore(store, Fate(at))))
            assert cancelled(world.context(home, store)) == []
            assert process.life(machine) is Life.GONE, at
        assert world.kinds(store).count("cancel") == world.kinds(store).count("lost") == 1
