"""`chaos`: the real sessions of a toy, killed at every turn, end like one that nobody touched."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import greenlet
import pytest

from facegan import session as wire
from facegan.errors import BadInputError
from facegan.experiment import Experiment, Json
from facegan.process import Life
from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs.backends import base
from jobs.backends.base import Hand, Order
from jobs.chaos import Kill, Tormentor, differences, drawn
from jobs.context import Context
from jobs.errors import JobError
from jobs.settings import Settings
from tests.fakes.killing import Killed
from tests.fakes.toy import ToyTrainer
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli


class Machine(world.FakeBackend):
    """One session at a time, which goes on by one step whenever somebody sleeps, until it is killed."""

    def __init__(self, store: ObjectStore, clock: world.Clock) -> None:
        super().__init__()
        self.store, self.clock = store, clock
        self.living: dict[int, greenlet.greenlet] = {}
        self.killed: list[int] = []
        self.breaks = False

    def submit(self, order: Order, hand: Hand) -> Json:
        del hand
        machine = self

        class Stepwise(world.BrokenToy if self.breaks else ToyTrainer):  # type: ignore[misc]
            def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
                machine.outside.switch()
                return super().advance(steps)

        def session() -> None:
            machine.outside.switch()
            world.train(self.store, order.number, machine={"host": "x"}, build=Stepwise, time=self.clock)

        self.outside = greenlet.getcurrent()
        self.living[order.number] = greenlet.greenlet(session)
        return {"number": order.number}

    def look_up(self, order: Order) -> Json | None:
        return {"number": order.number} if order.number in self.living else None

    def fate(self, ref: Json) -> base.Fate:
        lives = self.living.get(ref["number"])
        return base.Fate(life=Life.GONE if lives is None or lives.dead else Life.ALIVE, why="its process is gone")

    def kill(self, ref: Json) -> None:
        self.killed.append(ref["number"])
        try:
            self.living[ref["number"]].throw(Killed)
        except Killed:
            return

    def sleep(self, seconds: float) -> None:
        self.clock.now += seconds + 1.0
        self.outside = greenlet.getcurrent()
        for number, each in self.living.items():
            if not each.dead:
                each.switch()
                self._beat(number)

    def _beat(self, number: int) -> None:
        beat = wire.read(self.store, world.RUN, number)
        if beat is not None and beat.rate == 0.0:
            wire.write(self.store, world.RUN, number, dataclasses.replace(beat, rate=1.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Staged(Settings):
    machine: Any = None

    def stand_in(self, name: str) -> Any:
        assert name in {"local", "docker"}
        return self.machine


def staged(home: Path, store: ObjectStore) -> tuple[Context, Machine]:
    clock = world.Clock()
    plain = world.context(home, store, clock)
    machine = Machine(store, clock)
    machine.name = "docker"  # of a local session the lease names the process, and this one has none
    fields = {each.name: getattr(plain.settings, each.name) for each in dataclasses.fields(Settings)}
    return dataclasses.replace(plain, settings=Staged(**fields, machine=machine), sleep=machine.sleep), machine


LONG: Experiment = world.experiment("training.steps=40")


def torment(home: Path, store: ObjectStore, kills: int, seed: int) -> tuple[list[Kill], Machine]:
    context, machine = staged(home, store)
    ledger = world.create(store, chosen=LONG)
    killer = Tormentor(context=context, ledger=ledger, where=world.place(machine), say=world.quiet)
    return killer.torment(kills, seed), machine


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_was_killed_again_and_again_ends_like_its_untouched_twin(home: Path, seed: int) -> None:
    store, twin = MemoryStore(), MemoryStore()
    done, machine = torment(home, store, 5, seed)
    untouched, _ = torment(home, twin, 0, seed)
    assert untouched == []
    assert [kill.session for kill in done] == machine.killed
    assert done, "none of five kills came in time"
    assert world.is_whole(store)
    assert world.ledger(store).refresh().finished
    assert [*differences(world.ledger(store), world.ledger(twin))] == []


def test_the_same_seed_kills_at_the_same_moments(home: Path) -> None:
    first, second = torment(home, MemoryStore(), 4, 7)[0], torment(home, MemoryStore(), 4, 7)[0]
    assert first == second
    assert first != torment(home, MemoryStore(), 4, 8)[0]


def test_what_differs_is_named(home: Path) -> None:
    store, other = MemoryStore(), MemoryStore()
    torment(home, store, 0, 0)
    world.create(other, chosen=dataclasses.replace(LONG, seed=2))
    world.ask(other)
    world.train(other)
    found = [*differences(world.ledger(store), world.ledger(other))]
    assert [line.partition(":")[0] for line in found] == ["weights", "metrics", "pictures"]


def test_what_a_picture_says_of_its_run_is_no_difference() -> None:
    assert picture("one", 7) != picture("another-run", 7)
    assert drawn(picture("one", 7)) == drawn(picture("another-run", 7))
    assert drawn(picture("one", 7)) != drawn(picture("one", 8))
    for broken in (b"", b"\x89PNG\r\n\x1a\n toy 5", picture("one", 7)[:-1]):
        assert drawn(broken) == broken


def picture(run: str, color: int) -> bytes:
    """One grey point, of the run whose name it bears, as a PNG file."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"tEXt", b"facegan:run\0" + run.encode()), (b"IDAT", zlib.compress(bytes([0, color]))))
    whole = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def test_a_run_that_breaks_by_itself_is_not_resumed_for_ever(home: Path, store: MemoryStore) -> None:
    context, machine = staged(home, store)
    machine.breaks = True
    ledger = world.create(store, chosen=LONG)
    killer = Tormentor(context=context, ledger=ledger, where=world.place(machine), say=world.quiet)
    with pytest.raises(JobError, match="out of memory"):
        killer.torment(0, 0)
    assert ledger.refresh().newest == 4


def test_a_session_that_may_be_on_another_machine_is_left_alone(home: Path, store: MemoryStore) -> None:
    context, machine = staged(home, store)
    ledger = world.create(store, chosen=LONG)
    world.append(store, "intent", session=1, backend="docker")
    with pytest.raises(BadInputError, match="cannot be told from here"):
        Tormentor(context=context, ledger=ledger, where=world.place(machine), say=world.quiet)._kill(
            1, "asked for", 1.0
        )
    assert machine.killed == []


def test_sessions_elsewhere_are_not_killed(cli: Cli, file_store: ObjectStore) -> None:
    world.create(file_store)
    world.append(file_store, "intent", session=1, backend="kaggle")
    said = cli("chaos", world.RUN)
    assert (said.code, said.out) == (2, "")
    assert 'session 1 is on "kaggle", and only those on local or docker are killed' in said.err
    world.append(file_store, "lost", session=1, why="x")
    assert 'the last session was on "kaggle"' in cli("chaos", world.RUN).err
    with pytest.raises(BadInputError, match="not killed"):
        world.FakeBackend().kill({})


def test_a_finished_run_is_proven_and_held_against_its_twin(cli: Cli, file_store: ObjectStore) -> None:
    for name in ("one", "two"):
        world.finished(file_store, name)
    said = cli("chaos", "one", "--against", "two")
    assert said.code == 0
    assert said.out.splitlines()[0] == "one: killed 0 of its 1 sessions; step 12 of 12"
    assert "equal   weights, metrics of every step and pictures are those of two" in said.out
    world.interrupted(file_store, "three")
    assert 'run "three" is not finished' in cli("chaos", "one", "--against", "three").err
    assert cli("chaos", "one", "--against", "two", "--json").json()["differences"] == []
