"""A session on a copy that has ended at its place, and the commands that wait for what it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from facegan import layout
from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Data, Json
from facegan.ledger import State
from facegan.process import Life
from facegan.storage.memory import MemoryStore
from jobs import backends, launch, word
from jobs.backends.base import Fate, Order
from jobs.carrying import weighing
from jobs.carrying.packing import pack
from jobs.context import Context
from jobs.errors import JobError
from jobs.follow import wait
from jobs.refusals import Uncertain
from jobs.supervision import asking
from jobs.supervision.actions import Leave, Wait
from jobs.supervision.past import Past
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Voice, Watch
from tests.fakes import driving
from tests.fakes.driving import RUN, append, ledger_of
from tests.unit.jobs import world
from tests.unit.jobs.test_carrying import PLACE, begun, carried
from tests.unit.jobs.world import Clock, FakeBackend


class Away(FakeBackend):
    """A place whose session has ended, with what it left; of which it says nothing for the first `silent` times."""

    name = PLACE

    def __init__(self, packed: bytes, silent: int) -> None:
        super().__init__()
        self.packed = packed
        self.silent = silent
        self.asked: list[str] = []
        self.life = Life.GONE

    def fate(self, ref: Json) -> Fate:
        del ref
        self.asked.append("fate")
        return Fate(life=self.life, why="its process ended there with exit code 0")

    def left(self, order: Order) -> bytes | None:
        del order
        self.asked.append("left")
        if len([each for each in self.asked if each == "left"]) <= self.silent:
            raise Uncertain("it answers 500, which says nothing")
        return self.packed

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """There is nothing to end."""


@dataclass(kw_only=True)
class Scene:
    """A user at home, and the place."""

    store: MemoryStore
    place: Away
    context: Context
    time: Clock


@dataclass
class Told(Voice):
    """What a watch says."""

    said: list[str] = field(default_factory=list)

    def say(self, run: str, text: str) -> None:
        del run
        self.said.append(text)

    def complain(self, run: str, error: FaceganError) -> None:
        raise AssertionError((run, error))

    def give_up(self, run: str, why: str) -> None:
        raise AssertionError((run, why))

    def sync(self, names: Sequence[str]) -> None:
        del names


@pytest.fixture
def scene(home: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    store, time = begun(), Clock()
    _, left = carried(store)
    place = Away(pack(left), silent=0)
    for module in (launch, word, asking):
        monkeypatch.setattr(module, "BACKENDS", {**backends.BACKENDS, PLACE: ""})
    for module in (launch, word):
        monkeypatch.setattr(module, "open_backend", lambda *_, **__: place)
    return Scene(store=store, place=place, context=world.context(home, store, time), time=time)


def watch(scene: Scene) -> tuple[Watch, Told]:
    told = Told()
    return Watch(context=scene.context, allowed=Allowed(settings=scene.context.settings), voice=told, names=[RUN]), told


@pytest.mark.parametrize("silent", [0, 1, 5])
def test_cancel_does_not_give_up_finished_work_for_lack_of_an_answer(scene: Scene, silent: int) -> None:
    scene.place.silent = silent
    assert word.cancel(scene.context, ledger_of(scene.store)).state is State.FINISHED
    driving.assert_untouched(scene.store)


def test_cancel_without_an_answer_says_to_type_it_again(scene: Scene) -> None:
    scene.place.silent = 10**6
    before = world.contents(scene.store)
    with pytest.raises(JobError, match="not all there yet") as caught:
        word.cancel(scene.context, ledger_of(scene.store))
    assert f"facegan-job cancel {RUN}" in str(caught.value.hint)
    assert world.contents(scene.store) == before
    scene.place.silent = 0
    assert word.cancel(scene.context, ledger_of(scene.store)).state is State.FINISHED


def test_cancel_with_delete_gives_up_what_is_not_there_at_once(scene: Scene) -> None:
    scene.place.silent = 2  # before anything is ended, and after that
    fold = word.cancel(scene.context, ledger_of(scene.store), delete=True)
    assert fold.state is State.CANCELLED
    assert fold.end is not None
    assert fold.end.why == "the run was cancelled, and what it made is not at its place"


def test_a_watch_brings_home_what_is_there(scene: Scene) -> None:
    watching, told = watch(scene)
    assert watching.once() == {RUN: Leave(why="all 20 steps are committed", over=True)}
    assert told.said == ["its process ended there with exit code 0", "all 20 steps are committed"]
    driving.assert_untouched(scene.store)


def test_a_watch_waits_for_what_is_not_all_there_yet_and_says_so_once(scene: Scene) -> None:
    scene.place.silent = 1
    watching, told = watch(scene)
    rest = watching.once()[RUN]
    assert isinstance(rest, Wait)
    assert watching.once() == {RUN: rest}
    assert scene.place.asked.count("left") == 1
    assert told.said == ["its process ended there with exit code 0", rest.why]
    assert ledger_of(scene.store).refresh().carried is not None


def test_who_waits_asks_a_place_every_few_seconds_and_for_what_is_missing_each_minute(scene: Scene) -> None:
    scene.place.life = Life.ALIVE
    scene.time.at(60.0, lambda: setattr(scene.place, "life", Life.GONE))
    scene.place.silent = 2
    began = scene.time.now
    fold = wait(scene.context, ledger_of(scene.store), None, print)
    assert fold is not None
    assert fold.state is State.FINISHED
    assert scene.place.asked.count("left") == 3
    assert scene.time.now - began == pytest.approx(180.0, abs=5.0)
    assert scene.place.asked.count("fate") < 60, "and not each second"


def test_of_a_lost_session_it_is_remembered_that_it_was_on_a_copy(scene: Scene) -> None:
    ledger = ledger_of(scene.store)
    append(ledger, "lost", session=1, why="it left nothing")
    append(ledger, "intent", session=2, backend="local")
    append(ledger, "lost", session=2, why="its process is gone")
    ledger.refresh()
    assert [(ended.number, ended.carried) for ended in Past(ledger).ended()] == [(2, False), (1, True)]


def test_an_array_that_is_too_large_to_go_along_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    store, digest = MemoryStore(), "ab" * 32
    data = Data(name="faces", digest=digest)
    store.put(f"{layout.dataset('faces', digest)}images/000000", b"x" * 600)
    store.put(f"{layout.dataset('faces', digest)}images/000001", b"x" * 500)
    monkeypatch.setattr(weighing, "LARGEST", 1100)
    weighing.require_light(store, data, prepares=False)
    monkeypatch.setattr(weighing, "LARGEST", 1099)
    with pytest.raises(BadInputError, match='"faces"'):
        weighing.require_light(store, data, prepares=False)
    store.put(f"{layout.dataset('others', digest)}images/000000", b"x" * 5000)
    weighing.require_light(store, Data(name="mnist-5k"), prepares=False)
