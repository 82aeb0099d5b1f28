"""A week in no time: the real supervisor and real sessions of a toy, at places that a script makes fail.

A place starts nothing by itself. Whenever the watch sleeps, every session that lives at a place runs, from its lease
to the end that the script has for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from facegan.errors import FaceganError
from facegan.experiment import Experiment, Json
from facegan.ledger import Fold
from facegan.process import Life
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.trainer import Trainer
from jobs import launch, orders
from jobs.backends.base import Capabilities, Fate, Hand, Order
from jobs.context import Context
from jobs.refusals import Capacity, Quota, Uncertain
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Watch
from tests.fakes.killing import Killed
from tests.fakes.toy import ToyTrainer
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN, FakeBackend

STEPS = 16
LENGTH = (f"training.steps={STEPS}", "samples.every_steps=8")
BEGAN = 1.7e9
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """How a session ends: killed or broken after so many steps of its own, or before its lease; or by itself."""

    how: str = "finishes"  # finishes, killed, breaks, unborn (it never leases), vanishes (nor does its place know it)
    steps: int = 0


@dataclass(kw_only=True)
class Spell:
    """What the places do, in the order in which they are asked: none left means that all is well."""

    answers: list[str] = field(default_factory=list)  # ok, capacity, quota, silent (made), silent (not made)
    dooms: list[Doom] = field(default_factory=list)

    def answer(self) -> str:
        return self.answers.pop(0) if self.answers else "ok"

    def doom(self) -> Doom:
        return self.dooms.pop(0) if self.dooms else Doom()


def drawn(seed: int, most: int = 12) -> Spell:
    """A spell of bad luck. Luck that is bad for ever would keep any run from its end."""
    luck = random.Random(seed)
    answers = ["ok", "ok", "capacity", "quota", "silent, made", "silent, not made"]
    hows = ["killed", "killed", "killed", "unborn", "vanishes", "breaks"]
    return Spell(
        answers=luck.choices(answers, k=luck.randrange(most)),
        dooms=[Doom(how=luck.choice(hows), steps=luck.randrange(8)) for _ in range(luck.randrange(most))],
    )


class DoomedToy(ToyTrainer):
    """A toy that meets its end after so many steps of its own."""

    def __init__(self, experiment: Experiment, doom: Doom) -> None:
        super().__init__(experiment)
        self._doom, self._left = doom, doom.steps

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._left -= steps
        if self._left < 0 and self._doom.how == "killed":
            raise Killed
        if self._left < 0 and self._doom.how == "breaks":
            raise RuntimeError("out of memory")
        return super().advance(steps)


@dataclass(kw_only=True)
class World:
    """Several places, one run, one store, and a clock that only sleep moves."""

    home: Path
    spell: Spell = field(default_factory=Spell)
    store: ObjectStore = field(default_factory=MemoryStore)
    names: Sequence[str] = ("local", "docker", "kaggle")
    now: float = 0.0
    living: dict[tuple[str, int], Json] = field(default_factory=dict)
    over: set[tuple[str, int]] = field(default_factory=set)
    hidden: bool = False
    locked: set[str] = field(default_factory=set)
    machines: int = 1
    said: list[str] = field(default_factory=list)
    synced: list[str] = field(default_factory=list)
    is_mlflow_away: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)

    def context(self, store: ObjectStore | None = None) -> Context:
        made = world.context(self.home, store or self.store)
        writer = world.writer(wall_s=lambda: BEGAN + self.now)
        return dataclasses.replace(made, writer=writer, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        assert self.now < 60 * 24 * HOUR_S, f"it goes on for ever: {self.said[-5:]}"
        self.run_sessions()

    def run_sessions(self) -> None:
        """Every session that lives at a place, from its lease to its end."""
        for name, number in list(self.living):
            doom = self.spell.doom()
            if doom.how not in {"unborn", "vanishes"}:
                self._train(name, number, doom)
            del self.living[name, number]
            if doom.how != "vanishes" or name == "local":  # this machine knows its own processes
                self.over.add((name, number))

    def _train(self, name: str, number: int, doom: Doom) -> None:
        machine = world.gone() if name == "local" else {"host": name, "boot": "b", "pid": number, "start": "1"}

        def build(chosen: Experiment) -> Trainer:
            return DoomedToy(chosen, doom)

        with contextlib.suppress(Killed):
            world.train(self.store, number, machine=machine, build=build)

    def watch(self, store: ObjectStore | None = None, *names: str) -> Watch:
        context = self.context(store)
        allowed = Allowed(settings=context.settings, backends=names or tuple(self.names))
        return Watch(context=context, allowed=allowed, voice=Told(self), names=[RUN])

    def fold(self) -> Fold:
        return world.ledger(self.store).refresh()

    def known_to_be_gone(self) -> set[str]:
        """The places whose quota is used up, as the ledger says."""
        entries = world.entries(self.store)
        asked = {entry["session"]: entry["backend"] for entry in entries if entry["kind"] == "intent"}
        refused = [entry for entry in entries if entry["kind"] == "refused" and entry["until"]]
        now = datetime.fromtimestamp(BEGAN + self.now, UTC).isoformat()
        return {asked[entry["session"]] for entry in refused if entry["until"] > now}

    def install(self, patched: Callable[[object, str, object], None]) -> None:
        """Put the places where commands look for them."""
        for module in (launch, orders):
            patched(module, "open_backend", lambda name, _settings, host=None: Spot(self, name))  # noqa: ARG005


class Told:
    """What a watch says, written down."""

    def __init__(self, here: World) -> None:
        self._here = here

    def say(self, run: str, text: str) -> None:
        self._here.said.append(f"{run}: {text}")

    def complain(self, run: str, error: FaceganError) -> None:
        self._here.said.append(f"{run}: error: {error.message}")

    def give_up(self, run: str, why: str) -> None:
        self._here.said.append(f"{run} is given up: {why}")

    def sync(self, names: Sequence[str]) -> bool:
        self._here.synced += names
        return not self._here.is_mlflow_away


class Spot(FakeBackend):
    """One place of the world. It holds the watch to its promises."""

    host = None

    def __init__(self, here: World, name: str) -> None:
        super().__init__(gpus=("T4",))
        self.name, self._here = name, here

    def capabilities(self) -> Capabilities:
        return Capabilities(summary="a spot", gpus=("T4",), stores=("memory", "file"), data_is_here=True)

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Commands of one machine wait for each other: the second does nothing more. Two machines share no lock."""
        del run
        if self.name in self._here.locked and self._here.machines == 1:
            raise Killed
        self._here.locked.add(self.name)
        try:
            yield
        finally:
            self._here.locked.discard(self.name)

    def submit(self, order: Order, hand: Hand) -> Json:
        here = self._here
        known = self.look_up(order)
        if known is not None:
            return known
        if here.machines == 1:
            assert not here.living, f"session {order.number} is started beside {list(here.living)}"
            assert self.name not in here.known_to_be_gone(), f"{self.name}'s quota is known to be gone"
        hand()
        here.asked.append((self.name, order.number))
        return self._answered(here.spell.answer(), order)

    def _answered(self, answer: str, order: Order) -> Json:
        here, ref = self._here, {"place": self.name, "number": order.number}
        if answer == "capacity":
            raise Capacity("there is no room")
        if answer == "quota":
            raise Quota("it is used up", resets_at=datetime.fromtimestamp(BEGAN + here.now + 30 * HOUR_S, UTC))
        if answer == "silent, not made":
            raise Uncertain("no answer")
        here.living[self.name, order.number] = ref
        if answer == "silent, made":
            raise Uncertain("no answer")
        return ref

    def look_up(self, order: Order) -> Json | None:
        if self._here.hidden:
            raise Uncertain("no answer")
        return self._here.living.get((self.name, order.number))

    def fate(self, ref: Json) -> Fate:
        at = (str(ref.get("place")), int(ref.get("number", 0)))
        if self._here.hidden or at[0] != self.name:
            return Fate(life=Life.UNKNOWN)
        if at in self._here.living:
            return Fate(life=Life.ALIVE)
        return Fate(life=Life.GONE if at in self._here.over else Life.UNKNOWN, why="it was killed")
