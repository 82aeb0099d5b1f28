"""`submit` and `resume` killed anywhere, and two of them at once: the run has one session."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facegan.errors import BadInputError, SessionExit
from facegan.ledger import Fold, State
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs import launch
from jobs.backends import base
from jobs.backends.base import Backend
from jobs.context import Context
from tests.fakes.killing import Killed, WatchedStore
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN, FakeBackend, Fate, FatedBackend, FatedStore, Machine

Command = Callable[[Context, Backend], Fold]
Situation = Callable[[ObjectStore], object]


def gone(store: ObjectStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store)


def stopped(store: ObjectStore) -> None:
    world.interrupted(store)
    world.append(store, "stop")


def longer(where: Context, backend: Backend) -> Fold:
    return world.resume(where, backend, steps=16)


SCENES: dict[str, tuple[Situation, Command]] = {
    "submit": (lambda _store: None, world.submit),
    "resume of an interrupted run": (world.interrupted, world.resume),
    "resume of a run whose session is gone": (gone, world.resume),
    "resume of a stopped run": (stopped, world.resume),
    "resume of a finished run to more steps": (world.finished, longer),
}


def perform(scene: str, store: ObjectStore, home: Path, machine: Machine, fate: Fate) -> None:
    """The scene's command, once, as a process of its own."""
    _, command = SCENES[scene]
    command(world.context(home, FatedStore(store, fate)), FatedBackend(machine, fate))


def steps_of(scene: str, home: Path) -> list[str]:
    """Everything the untouched command does in the world."""
    store, fate = MemoryStore(), Fate()
    SCENES[scene][0](store)
    perform(scene, store, home, Machine(), fate)
    return fate.steps


def kills(scene: str, home: Path) -> Iterator[tuple[str, Fate]]:
    for at, step in enumerate(steps_of(scene, home)):
        for after in (False, True):
            yield f"{'after' if after else 'before'} {at} {step}", Fate(at, after=after)


def require_one_session(store: ObjectStore, machine: Machine, when: str) -> None:
    """One process, for the one number that has not ended; it trains the run to its end."""
    fold = world.ledger(store).refresh()
    assert len(fold.open) == 1, when
    number = fold.open[0].number
    assert list(machine.sessions) == [(RUN, number)], when
    assert fold.open[0].ref == world.alive(), when
    assert world.kinds(store).count("created") == 1, when
    assert world.train(store, number) is SessionExit.FINISHED, when
    assert world.ledger(store).refresh().state is State.FINISHED, when
    assert world.is_whole(store), when


@pytest.mark.parametrize("scene", SCENES)
def test_killed_anywhere_and_repeated_there_is_one_session(scene: str, home: Path) -> None:
    count = 0
    for when, fate in kills(scene, home):
        store, machine = MemoryStore(), Machine()
        SCENES[scene][0](store)
        with pytest.raises(Killed):
            perform(scene, store, home, machine, fate)
        perform(scene, store, home, machine, Fate())
        require_one_session(store, machine, when)
        count += 1
    assert count >= 20, "the command does next to nothing"


@pytest.mark.parametrize("scene", SCENES)
def test_killed_anywhere_twice_and_repeated_there_is_one_session(scene: str, home: Path) -> None:
    for number, (when, fate) in enumerate(kills(scene, home)):
        store, machine, again = MemoryStore(), Machine(), number % 12
        SCENES[scene][0](store)
        with pytest.raises(Killed):
            perform(scene, store, home, machine, fate)
        with contextlib.suppress(Killed):  # it may have so little left to do that it outlives this
            perform(scene, store, home, machine, Fate(again, after=number % 2 == 0))
        perform(scene, store, home, machine, Fate())
        require_one_session(store, machine, f"{when}, then at {again}")


def test_a_submit_killed_anywhere_and_repeated_with_other_content_is_refused(home: Path) -> None:
    refused = 0
    for when, fate in kills("submit", home):
        store, machine = MemoryStore(), Machine()
        with pytest.raises(Killed):
            perform("submit", store, home, machine, fate)
        before = world.contents(store)
        if not before:
            continue  # nothing had happened: the other content is the first
        with pytest.raises(BadInputError, match="with other content"):
            world.submit(world.context(home, store), FakeBackend(machine), world.experiment("seed=7"))
        assert world.contents(store) == before, when
        refused += 1
    assert refused >= 10


def test_a_session_that_finished_before_the_repetition_is_not_started_again(home: Path) -> None:
    """The command is killed after the start, and the session needs nobody: it goes its way."""
    for when, fate in kills("submit", home):
        store, machine = MemoryStore(), Machine()
        with pytest.raises(Killed):
            perform("submit", store, home, machine, fate)
        if not machine.sessions:
            continue
        assert world.train(store, 1) is SessionExit.FINISHED, when
        machine.kill()
        perform("submit", store, home, machine, Fate())
        assert list(machine.sessions) == [(RUN, 1)], when
        assert world.is_whole(store), when


def switched_off(_context: Context, session: OpenSession) -> base.Fate:
    """What is known of a session whose ref names a process of before: of one without a ref, nothing."""
    return base.Fate(life=Life.UNKNOWN if session.ref is None else Life.GONE, why="its process is gone")


def test_a_machine_switched_off_after_the_kill_is_no_obstacle(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for when, fate in kills("submit", home):
        store, machine = MemoryStore(), Machine()
        with pytest.raises(Killed):
            perform("submit", store, home, machine, fate)
        machine.kill()
        with monkeypatch.context() as patched:
            patched.setattr(launch, "fate", switched_off)
            perform("submit", store, home, machine, Fate())
        fold = world.ledger(store).refresh()
        assert len(fold.open) == 1, when
        assert machine.sessions[RUN, fold.open[0].number] == world.alive(), when
        assert world.train(store, fold.open[0].number) is SessionExit.FINISHED, when
        assert world.is_whole(store), when


class Interrupting(WatchedStore):
    """A store under which, before its operation `at`, another command runs from beginning to end."""

    def __init__(self, store: ObjectStore, at: int, other: Callable[[], None]) -> None:
        super().__init__(store)
        self._at = at
        self._other = other

    def _count(self, verb: str, key: str):  # noqa: ANN202
        operation = super()._count(verb, key)
        if operation.number == self._at:
            self._other()
        return operation


@pytest.mark.parametrize("scene", SCENES)
def test_two_at_once_on_one_machine_make_one_session(scene: str, home: Path) -> None:
    """While one is launching, the other waits for it; before that, they come between each other anywhere."""
    interleaved = 0
    for at in range(len(steps_of(scene, home))):
        store, machine = MemoryStore(), Machine()
        SCENES[scene][0](store)
        waiting = []

        def other(store: ObjectStore = store, machine: Machine = machine, waiting: list[bool] = waiting) -> None:
            if machine.locked:
                waiting.append(True)
            else:
                SCENES[scene][1](world.context(home, store), FakeBackend(machine))

        SCENES[scene][1](world.context(home, Interrupting(store, at, other)), FakeBackend(machine))
        interleaved += not waiting
        if waiting:
            other()
        require_one_session(store, machine, f"another at {at}")
    assert interleaved


@pytest.mark.parametrize("scene", SCENES)
def test_two_at_once_on_two_machines_leave_one_line_of_history(scene: str, home: Path) -> None:
    """No lock reaches across machines, so both may start a process: one of them leases, the other steps aside."""
    for at in range(len(steps_of(scene, home))):
        store, machines = MemoryStore(), (Machine(), Machine())
        SCENES[scene][0](store)

        def other(store: ObjectStore = store, machines: tuple[Machine, Machine] = machines) -> None:
            SCENES[scene][1](world.context(home, store), FakeBackend(machines[1]))

        SCENES[scene][1](world.context(home, Interrupting(store, at, other)), FakeBackend(machines[0]))
        started = [number for machine in machines for _, number in machine.sessions]
        assert started, f"another at {at}"
        ends = [world.train(store, number) for number in started]
        assert ends.count(SessionExit.FINISHED) >= 1, f"another at {at}"
        assert world.ledger(store).refresh().state is State.FINISHED, f"another at {at}"
        assert world.kinds(store).count("lease") - before_leases(scene) == 1, f"another at {at}"
        assert world.is_whole(store), f"another at {at}"


def before_leases(scene: str) -> int:
    store = MemoryStore()
    SCENES[scene][0](store)
    return world.kinds(store).count("lease") if any(store.list("")) else 0
