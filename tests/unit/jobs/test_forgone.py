"""A session on a copy whose place answers nobody any more: the user's word ends its number, once and for ever."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from pathlib import Path

import pytest

from facegan import layout
from facegan.errors import BadInputError, SessionExit
from facegan.experiment import Json
from facegan.ledger import State
from facegan.process import Life
from facegan.storage import ObjectStore
from facegan.storage.memory import MemoryStore
from jobs import backends, launch, losing, orders, word
from jobs.backends.base import Fate, Order
from jobs.carrying.bringing import bring, kept
from jobs.carrying.packing import pack
from jobs.carrying.spoilt import SpoiltError
from jobs.context import Context
from jobs.errors import JobError
from jobs.follow import wait
from jobs.refusals import Auth, Uncertain
from tests.fakes import driving
from tests.fakes.driving import RUN, Session, ask, contents, judged, kinds, ledger_of
from tests.fakes.killing import Death, Killed, MortalStore
from tests.unit.jobs import world
from tests.unit.jobs.test_carried_away import Away
from tests.unit.jobs.test_carrying import PLACE, begun, carried, part
from tests.unit.jobs.typed import Cli

HINT = f"facegan-job resume {RUN} --give-up 2"


class Closed(Away):
    """A place that does not know the user any more, whatever it has."""

    def __init__(self, packed: bytes) -> None:
        super().__init__(packed, silent=0)
        self.life = Life.UNKNOWN
        self.is_free = True

    def fate(self, ref: Json) -> Fate:
        return super().fate(ref) if self.life is not Life.UNKNOWN else Fate(life=Life.UNKNOWN)

    def left(self, order: Order) -> bytes | None:
        if self.life is Life.UNKNOWN:
            raise Uncertain("there are no credentials here")
        return super().left(order)

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        del ref, delete
        raise Auth("there are no credentials here", hint="sign in")

    def ending(self, run: str) -> contextlib.AbstractContextManager[bool]:
        del run
        return contextlib.nullcontext(self.is_free)


@dataclasses.dataclass(kw_only=True)
class Scene:
    """A run with a session at home, then one on a copy; what that left, and the place that keeps it."""

    home: MemoryStore
    left: dict[str, bytes]
    place: Closed
    context: Context
    said: list[str] = dataclasses.field(default_factory=list)

    def give_up(self, number: int = 2, *, through: ObjectStore | None = None) -> object:
        context = dataclasses.replace(self.context, store=through or self.home)
        return word.give_up(context, ledger_of(context.store), number, self.said.append)

    def again(self) -> Scene:
        """The same, before anything was done about it."""
        store = MemoryStore()
        for key, data in contents(self.home).items():
            store.put(key, data)
        return dataclasses.replace(self, home=store, context=dataclasses.replace(self.context, store=store), said=[])


@pytest.fixture
def scene(home: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    store = begun()
    part(store, ask(store), budget_s=9)
    number, left = carried(store, budget_s=9)
    assert number == 2
    place = Closed(pack(left))
    monkeypatch.setattr(launch, "BACKENDS", {**backends.BACKENDS, PLACE: ""})
    for module in (launch, word):
        monkeypatch.setattr(module, "open_backend", lambda *_, **__: place)
    return Scene(home=store, left=left, place=place, context=world.context(home, store))


def test_without_the_word_the_run_is_frozen_and_says_what_can_be_typed(scene: Scene) -> None:
    before = contents(scene.home)
    ledger = ledger_of(scene.home)
    with pytest.raises(BadInputError, match="with a copy of the run") as frozen:
        word.stop(scene.context, ledger)
    assert HINT in str(frozen.value.hint)
    with pytest.raises(JobError, match="no credentials") as unknown:
        word.cancel(scene.context, ledger)
    assert unknown.value.hint == f"sign in; or, without what it makes: facegan-job cancel {RUN} --give-up 2"
    here = orders.Place(backend=world.FakeBackend(), gpu=None)
    launch.resume(scene.context, ledger, here, None, scene.said.append)
    assert HINT in scene.said[-1]
    assert contents(scene.home) == before


def test_who_waits_is_told_once_that_its_place_is_silent(scene: Scene) -> None:
    context = dataclasses.replace(scene.context, sleep=lambda _seconds: None)
    moments = itertools.count()
    context = dataclasses.replace(context, clock=lambda: float(next(moments)))
    assert wait(context, ledger_of(scene.home), 100.0, scene.said.append) is None
    assert [line.split(",")[0] for line in scene.said] == [f"{PLACE} does not say what has become of session 2"]
    assert HINT in scene.said[0]
    scene.place.life = Life.GONE
    ended = wait(context, ledger_of(scene.home), None, scene.said.append)
    assert ended is not None
    assert not ended.open
    assert len(scene.said) == 1


def test_given_up_it_goes_on_from_what_is_at_home(scene: Scene) -> None:
    reached = ledger_of(scene.home).refresh().reached
    scene.give_up()
    fold = ledger_of(scene.home).refresh()
    assert (fold.state, fold.reached, fold.open) == (State.INTERRUPTED, reached, ())
    assert fold.end is not None
    assert fold.end.why == losing.FORGONE
    assert f"the run is at checkpoint {reached}" in scene.said[0]
    assert not judged(scene.home).wrong
    assert Session(store=scene.home, holder="next", number=ask(scene.home)).run() is SessionExit.FINISHED
    driving.assert_untouched(scene.home)


def test_what_comes_to_light_later_is_never_appended(scene: Scene) -> None:
    """By no command that would bring it home, before or after the run went on."""
    scene.give_up()
    for _ in range(2):
        scene.place.life = Life.GONE
        before = contents(scene.home)
        launch.bury(scene.context, ledger_of(scene.home))
        with pytest.raises(SpoiltError):
            bring(ledger_of(scene.home), 2, pack(scene.left))
        assert contents(scene.home) == before
        if not ledger_of(scene.home).refresh().finished:
            assert Session(store=scene.home, holder="next", number=ask(scene.home)).run() is SessionExit.FINISHED
    driving.assert_untouched(scene.home)


def test_one_that_can_be_brought_home_is(scene: Scene) -> None:
    scene.place.life = Life.GONE
    scene.give_up()
    assert kinds(scene.home)[-1] == "report"
    assert scene.said == ["session 2 has ended, and there is nothing of it to give up"]


@pytest.mark.parametrize("death", [Death.BEFORE, Death.AFTER])
def test_killed_anywhere_and_repeated_it_is_lost_once(scene: Scene, death: Death) -> None:
    at, reached = 0, True
    while reached:
        now, reached = scene.again(), False
        try:
            now.give_up(through=MortalStore(now.home, at, death))
        except Killed:
            reached = True
        now.give_up()
        assert kinds(now.home).count("lost") == 1
        assert not judged(now.home).wrong
        assert ledger_of(now.home).refresh().state is State.INTERRUPTED
        at += 1
    assert at > 3


@pytest.mark.parametrize("death", [Death.BEFORE, Death.AFTER])
def test_what_was_on_its_way_home_when_its_command_was_killed_is_taken_whole(scene: Scene, death: Death) -> None:
    at, reached, brought = 0, True, 0
    while reached:
        now, reached = scene.again(), False
        try:
            bring(ledger_of(MortalStore(now.home, at, death)), 2, pack(scene.left))
        except Killed:
            reached = True
        is_kept = kept(ledger_of(now.home), 2) is not None and ledger_of(now.home).refresh().carried is not None
        now.give_up()
        end = ledger_of(now.home).refresh().end
        assert end is not None
        assert not is_kept or end.kind == "report"
        brought += is_kept
        assert not judged(now.home).wrong, f"{death} {at}"
        assert Session(store=now.home, holder="next", number=ask(now.home)).run() is SessionExit.FINISHED
        driving.assert_untouched(now.home)
        at += 1
    assert brought > 3


@pytest.mark.parametrize("number", [1, 2, 3])
def test_twice_or_of_another_number_it_changes_nothing(scene: Scene, number: int) -> None:
    scene.give_up()
    before = contents(scene.home)
    if number > 2:
        with pytest.raises(BadInputError, match='"3"'):
            scene.give_up(number)
    else:
        scene.give_up(number)
    assert contents(scene.home) == before


def test_the_next_one_on_a_copy_is_not_given_up_with_it(scene: Scene) -> None:
    """A command that is typed again means the session that it meant before."""
    scene.give_up()
    number, left = carried(scene.home)
    scene.give_up()
    assert ledger_of(scene.home).refresh().carried is not None
    bring(ledger_of(scene.home), number, pack(left))
    driving.assert_untouched(scene.home)


def test_one_that_is_known_to_live_is_not_given_up(scene: Scene) -> None:
    scene.place.life = Life.ALIVE
    before = contents(scene.home)
    with pytest.raises(BadInputError, match="is alive") as refused:
        scene.give_up()
    assert f"facegan-job resume {RUN} brings home" in str(refused.value.hint)
    assert contents(scene.home) == before


def test_one_that_another_command_sends_or_brings_is_not_given_up(scene: Scene) -> None:
    scene.place.is_free = False
    before = contents(scene.home)
    with pytest.raises(JobError, match="another command"):
        scene.give_up()
    assert contents(scene.home) == before


def test_one_that_is_not_on_a_copy_is_not_given_up(scene: Scene) -> None:
    scene.give_up()
    ask(scene.home)
    with pytest.raises(BadInputError, match="not on a copy"):
        scene.give_up(3)


# --- typed ----------------------------------------------------------------------------------------


@pytest.fixture
def frozen(file_store: ObjectStore) -> ObjectStore:
    """A run with a session at Kaggle, and nobody here who knows Kaggle."""
    world.interrupted(file_store)
    ref = {"kernel": "ada/facegan-x-2", "url": "https://www.kaggle.com/code/ada/facegan-x-2"}
    world.append(file_store, "intent", session=2, backend="kaggle", host="ada", carried=True, ref=ref)
    return file_store


def test_typed_with_cancel_the_run_is_over(cli: Cli, frozen: ObjectStore) -> None:
    said = cli("cancel", world.RUN)
    assert said.code == 1
    assert f"facegan-job cancel {world.RUN} --give-up 2" in said.hint
    assert world.kinds(frozen)[-1] == "intent"
    said = cli("cancel", world.RUN, "--give-up", "2")
    assert "session 2 is given up: what it made on kaggle" in said.err
    assert said.code == 0
    assert world.kinds(frozen)[-2:] == ["lost", "cancel"]
    assert cli("rm", world.RUN, "--yes").code == 0


def test_typed_with_resume_the_run_has_a_session_here(
    cli: Cli, frozen: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr("jobs.cli.resume.launch.resume", lambda _context, ledger, *_: started.append(ledger.run))
    assert cli("resume", world.RUN, "--backend", "local", "--give-up", "2", "--detach").code == 0
    assert started == [world.RUN]
    assert world.kinds(frozen)[-1] == "lost"
    assert layout.entry(world.RUN, len(world.kinds(frozen)) - 1) in world.contents(frozen)
