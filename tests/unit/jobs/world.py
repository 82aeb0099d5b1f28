"""A user's machine without time and without TensorFlow: a store, a backend that starts nothing, toy sessions."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from facegan import layout, process
from facegan.errors import SessionExit
from facegan.experiment import Experiment, Json
from facegan.ledger import Fold, Ledger, Wish, Writer
from facegan.output import Output
from facegan.process import Life
from facegan.stopping import StopSignal
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.trainer import Trainer
from facegan.verify import verify
from facegan.worker import Surroundings, run_session
from jobs import launch, orders, recipe
from jobs.backends import base
from jobs.backends.base import Backend, Capabilities, Hand, Order
from jobs.context import Context
from jobs.settings import Settings
from tests.fakes.killing import Killed, WatchedStore
from tests.fakes.toy import ToyTrainer

T = TypeVar("T")

RUN = "dcgan-mnist-k7f3"
SHORT = (
    "training.steps=12",
    "checkpoint.every_steps=4",
    "samples.every_steps=6",
    "evaluation.metric=none",
    "session.lease_s=12",
)
WALL_S = 1.7e9


def experiment(*settings: str) -> Experiment:
    return recipe.resolve("dcgan-mnist", [*SHORT, *settings], device="cpu", cores=2)


def alive() -> Json:
    """The identity of a process that lives: this one."""
    return process.this_process()


def gone() -> Json:
    """The identity of a process that had this one's id before it, and is gone."""
    return {**process.this_process(), "start": "0"}


class Clock:
    """Time that passes only when somebody sleeps. `at(s, act)` lets something happen meanwhile."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._acts: list[tuple[float, Callable[[], object]]] = []

    def clock(self) -> float:
        return self.now

    def at(self, seconds: float, act: Callable[[], object]) -> None:
        self._acts.append((100.0 + seconds, act))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        assert len(self.slept) < 1_000, "it sleeps for ever"
        self.now += seconds
        due = [act for when, act in self._acts if when <= self.now]
        self._acts = [(when, act) for when, act in self._acts if when > self.now]
        for act in due:
            act()


_holders = itertools.count()


def writer(holder: str | None = None, wall_s: Callable[[], float] = lambda: WALL_S) -> Writer:
    name = holder or f"user-{next(_holders)}"
    ids = itertools.count()
    return Writer(holder=name, wall_s=wall_s, new_id=lambda: f"{name}-{next(ids)}")


def context(home: Path, store: ObjectStore | None = None, time: Clock | None = None) -> Context:
    """What one command works with. Every command is a holder of its own."""
    time = time or Clock()
    at = store or MemoryStore()
    settings = Settings(home=home, store=at.url, backend="local", tracking="sqlite:///none.db")
    return Context(settings=settings, store=at, writer=writer(), clock=time.clock, sleep=time.sleep)


@dataclass
class Machine:
    """What outlives a command: the sessions that were started, by (run, number)."""

    sessions: dict[tuple[str, int], Json] = field(default_factory=dict)
    locked: bool = False

    def kill(self) -> None:
        """The machine is switched off: every process of it is gone."""
        self.sessions = {name: gone() for name in self.sessions}


class FakeBackend(Backend):
    """A backend whose sessions are names on a list. They are said to be processes of this machine."""

    name = "local"
    host = None

    def __init__(self, machine: Machine | None = None, gpus: Sequence[str] = ()) -> None:
        self.place = machine or Machine()
        self.swept: list[tuple[str, tuple[int, ...]]] = []
        self.gpus = gpus

    def capabilities(self) -> Capabilities:
        return Capabilities(summary="a fake", gpus=self.gpus, stores=("memory", "file"), data_is_here=True)

    def machine(self, gpu: str | None) -> base.Machine:
        return base.Machine(device="gpu" if gpu else "cpu", cores=2)

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        del run
        assert not self.place.locked, "two commands are launching at once"
        self.place.locked = True
        try:
            yield
        finally:
            self.place.locked = False  # as the operating system does, however the command ended

    def command(self, order: Order) -> Json:
        return {"arguments": [order.run_url, str(order.number)]}

    def submit(self, order: Order, hand: Hand) -> Json:
        known = self.look_up(order)
        if known is None:
            hand()
            known = self.place.sessions[order.run, order.number] = alive()
        return known

    def look_up(self, order: Order) -> Json | None:
        known = self.place.sessions.get((order.run, order.number))
        return known if known and process.life(known) is Life.ALIVE else None

    def fate(self, ref: Json) -> base.Fate:
        return base.Fate(life=process.life(ref), why="its process is gone")

    def bundle(self, gpu: str | None) -> Json:
        del gpu
        return {}

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        self.swept.append((run_url, tuple(keep)))

    def last_words(self, order: Order) -> str:
        return f"last words of session {order.number}"


class Fate:
    """Counts what one command does in the world, and kills it at step `at`: before that step, or after it."""

    def __init__(self, at: int = 10**9, *, after: bool = False) -> None:
        self.steps: list[str] = []
        self._at = at
        self._after = after
        self._dead = False

    def meet(self, name: str, act: Callable[[], T]) -> T:
        if self._dead:
            raise Killed
        self.steps.append(name)
        if len(self.steps) <= self._at:
            return act()
        self._dead = True
        if self._after:
            act()
        raise Killed(name)


class FatedStore(WatchedStore):
    """A store whose every operation is a step of somebody's fate."""

    def __init__(self, store: ObjectStore, fate: Fate) -> None:
        super().__init__(store)
        self._fate = fate

    def _do(self, verb: str, key: str, act: Callable[[], T], tear: Callable[[], None]) -> T:
        del tear
        return self._fate.meet(f"{verb} {key}", act)


class FatedBackend(FakeBackend):
    """A backend whose every call is a step of somebody's fate."""

    def __init__(self, machine: Machine, fate: Fate) -> None:
        super().__init__(machine)
        self._fate = fate

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        self._fate.meet("launching", lambda: None)
        with super().launching(run):
            yield

    def submit(self, order: Order, hand: Hand) -> Json:
        return self._fate.meet("submit", lambda: super(FatedBackend, self).submit(order, hand))

    def look_up(self, order: Order) -> Json | None:
        return self._fate.meet("look_up", lambda: super(FatedBackend, self).look_up(order))


def place(backend: Backend, gpu: str | None = None) -> orders.Place:
    return orders.Place(backend=backend, gpu=gpu)


def quiet(_text: str) -> None:
    return None


def submit(where: Context, backend: Backend, chosen: Experiment | None = None, run: str = RUN) -> Fold:
    """The `submit` command, less the printing."""
    ledger = launch.create(where, run, chosen or experiment())
    return launch.submit(where, ledger, place(backend), quiet)


def resume(where: Context, backend: Backend, steps: int | None = None, run: str = RUN) -> Fold:
    """The `resume` command, less the printing."""
    return launch.resume(where, where.ledger(run), place(backend), steps, quiet)


def train(
    store: ObjectStore,
    number: int | None = 1,
    run: str = RUN,
    *,
    machine: Json | None = None,
    build: Callable[[Experiment], Trainer] = ToyTrainer,
    time: Clock | None = None,
    says: str = "",
) -> SessionExit:
    """One session from its lease to its end, driven by the toy."""
    time = time or Clock()
    me = writer(f"session-{next(_holders)}")
    output = Output()
    output.write(says.encode())
    return run_session(
        Surroundings(
            store=store,
            run=run,
            number=number,
            holder=me.holder,
            machine=alive() if machine is None else machine,
            build=build,
            clock=time.clock,
            wall_s=me.wall_s,
            sleep=time.sleep,
            new_id=me.new_id,
            spawn=inline,
            repeat=lambda _work, _every_s: lambda: None,
            abandon=_never,
            began=time.clock(),
            stop=StopSignal(),
            output=output,
            say=lambda text: output.write(f"{text}\n".encode()),
        )
    )


def inline(work: Callable[[], None]) -> Callable[[float | None], bool]:
    work()
    return lambda _seconds: True


def _never(code: SessionExit) -> None:
    raise AssertionError(f"abandoned with {code}")


class DyingToy(ToyTrainer):
    """A toy whose process is killed when it comes to step `AT`."""

    AT = 6

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        if self.step + steps > self.AT:
            raise Killed
        return super().advance(steps)


class BrokenToy(ToyTrainer):
    """A toy that cannot be trained beyond step `AT`."""

    AT = 6

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        if self.step + steps > self.AT:
            raise RuntimeError("out of memory")
        return super().advance(steps)


def die(store: ObjectStore, number: int | None = 1, run: str = RUN, *, machine: Json | None = None) -> None:
    """A session whose process is killed at step 6: step 4 is committed, and the session stays open."""
    with contextlib.suppress(Killed):
        train(store, number, run, machine=gone() if machine is None else machine, build=DyingToy)


def ledger(store: ObjectStore, run: str = RUN) -> Ledger:
    return Ledger(store, run, writer())


def append(store: ObjectStore, kind: str, run: str = RUN, **body: object) -> Fold:
    """Append one entry, as whoever."""
    wishes = [Wish(kind=kind, body=body)]
    return ledger(store, run).append(lambda _fold: wishes.pop() if wishes else None)


def create(store: ObjectStore, run: str = RUN, chosen: Experiment | None = None) -> Ledger:
    made = ledger(store, run)
    assert made.create(recipe.created_body(run, chosen or experiment()))
    return made


def ask(store: ObjectStore, run: str = RUN, number: int = 1, **more: object) -> Fold:
    return append(store, "intent", run, session=number, backend="local", **more)


def finished(store: ObjectStore, run: str = RUN, says: str = "") -> Ledger:
    """A run that one session trained to its end."""
    made = create(store, run)
    ask(store, run)
    assert train(store, 1, run, says=says) is SessionExit.FINISHED
    return made


def interrupted(store: ObjectStore, run: str = RUN, why: str = "received SIGTERM") -> Ledger:
    """A run whose only session ended before its last step; step 4 is committed."""
    made = create(store, run)
    ask(store, run)
    die(store, 1, run, machine=alive())
    append_as_holder(store, "report", run, session=1, outcome="interrupted", step=4, why=why)
    return made


def failed(store: ObjectStore, run: str = RUN) -> Ledger:
    made = create(store, run)
    ask(store, run)
    assert train(store, 1, run, build=BrokenToy) is SessionExit.FAILED
    return made


def append_as_holder(store: ObjectStore, kind: str, run: str = RUN, **body: object) -> Fold:
    """Append one entry, as the holder of the lease."""
    lease = ledger(store, run).refresh().lease
    assert lease is not None
    wishes = [Wish(kind=kind, body=body)]
    return Ledger(store, run, writer(lease.by)).append(lambda _fold: wishes.pop() if wishes else None)


def entries(store: ObjectStore, run: str = RUN) -> list[dict[str, Any]]:
    return [json.loads(store.get(key)) for key in store.list(layout.ledger(run))]


def kinds(store: ObjectStore, run: str = RUN) -> list[str]:
    return [entry["kind"] for entry in entries(store, run)]


def contents(store: ObjectStore) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list("")}


def is_whole(store: ObjectStore, run: str = RUN) -> bool:
    return not verify(ledger(store, run)).wrong
