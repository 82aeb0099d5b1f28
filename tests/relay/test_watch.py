"""`watch` carries a run over places that fail it, and never has two sessions of it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from facegan.ledger import State
from facegan.storage.memory import MemoryStore
from jobs import orders, word
from jobs.supervision import asking
from jobs.supervision.actions import GiveUp, Leave, Wait
from tests.fakes.killing import Killed, WatchedStore
from tests.relay import world as relays
from tests.relay.world import LENGTH, RUN, Doom, Spell, World, drawn
from tests.unit.jobs import world
from tests.unit.jobs.world import Fate, FatedStore

SEEDS = int(os.environ.get("FACEGAN_TEST_WEEKS", "60"))


@pytest.fixture
def here(boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(home=boring_environment)
    made.install(monkeypatch.setattr)
    world.create(made.store, RUN, world.experiment(*LENGTH))
    return made


def anew(here: World, spell: Spell, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same world before anything happened in it."""
    made = World(home=here.home, spell=spell)
    made.install(monkeypatch.setattr)
    world.create(made.store, RUN, world.experiment(*LENGTH))
    return made


def outcome(here: World) -> list[bytes]:
    """The last state, byte for byte, and that history is whole."""
    assert world.is_whole(here.store)
    last = [entry for entry in world.entries(here.store) if entry["kind"] == "checkpoint"][-1]
    return [here.store.get(f"{last['key']}state.safetensors")]


@pytest.fixture
def untouched(here: World, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    alone = anew(here, Spell(), monkeypatch)
    alone.watch().until_over()
    found = outcome(alone)
    here.install(monkeypatch.setattr)
    return found


def to_the_end(here: World) -> None:
    """Watch the run to its end; where it is given up, its user looks into it, and says `resume`."""
    for _ in range(20):
        rest = here.watch().until_over()[RUN]
        if isinstance(rest, Leave):
            break
        assert isinstance(rest, GiveUp)
        fold = here.fold()
        assert not fold.open
        where = next(name for name in here.names if name not in here.known_to_be_gone())
        world.append(here.store, "intent", session=fold.newest + 1, backend=where, resume=True)
    assert here.fold().state is State.FINISHED


def test_a_run_that_was_only_created_is_carried_to_its_end(here: World, untouched: list[bytes]) -> None:
    rest = here.watch().until_over()[RUN]
    assert rest == Leave(why="all 16 steps are committed", over=True)
    assert here.asked == [("local", 1)]
    assert outcome(here) == untouched
    assert here.synced[-1] == RUN


def test_killed_at_each_place_it_goes_on_at_the_next(here: World, untouched: list[bytes]) -> None:
    here.spell.dooms = [Doom(how="killed", steps=4), Doom(how="killed", steps=4), Doom(how="killed", steps=4)]
    here.watch().until_over()
    assert here.asked == [("local", 1), ("docker", 2), ("kaggle", 3), ("local", 4)]
    assert outcome(here) == untouched


def test_quota_that_is_gone_is_waited_for_and_it_is_said_until_when(here: World) -> None:
    here.spell.answers = ["quota"]
    rest = here.watch(None, "kaggle").once()[RUN]
    assert isinstance(rest, Wait)
    assert rest.why == "kaggle: it is used up; looks again Thursday 16 November at 04:13 UTC"
    assert rest.until == relays.BEGAN + 30 * relays.HOUR_S
    assert here.asked == [("kaggle", 1)]
    here.watch(None, "kaggle").until_over()
    assert here.fold().state is State.FINISHED


def test_while_one_place_has_no_quota_the_next_is_asked(here: World) -> None:
    here.spell.answers = ["quota"]
    here.spell.dooms = [Doom(how="killed", steps=5)]
    here.watch(None, "kaggle", "docker").until_over()
    assert here.asked == [("kaggle", 1), ("docker", 2), ("docker", 3)]


def test_a_place_that_keeps_refusing_is_left_out(here: World) -> None:
    here.spell.answers = ["capacity"] * 4
    here.watch(None, "docker").until_over()
    assert here.now > 3 * relays.HOUR_S, "it was left out for no time"
    assert any("left out for a while" in line for line in here.said)
    assert here.fold().state is State.FINISHED


def test_a_run_that_fails_twice_at_one_step_is_given_up_with_the_reason(here: World) -> None:
    here.spell.dooms = [Doom(how="breaks", steps=6), Doom(how="breaks", steps=2)]
    rest = here.watch().until_over()[RUN]
    assert rest == GiveUp(why="2 sessions failed at step 4, the last of them: RuntimeError: out of memory")
    before = world.contents(here.store)
    assert here.watch().once()[RUN] == rest
    assert world.contents(here.store) == before


def test_after_the_users_word_a_given_up_run_goes_on(here: World) -> None:
    here.spell.dooms = [Doom(how="breaks", steps=6), Doom(how="breaks", steps=2)]
    to_the_end(here)


def test_a_run_whose_sessions_restore_nothing_is_given_up(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deadly:
        def __init__(self, *_args: object) -> None:
            raise Killed

    monkeypatch.setattr(relays, "DoomedToy", Deadly)
    rest = here.watch().until_over()[RUN]
    assert rest == GiveUp(why="2 sessions ended before they had restored anything, the last of them: it was killed")


@pytest.mark.parametrize("say", [word.stop, word.cancel])
def test_what_the_user_has_ended_is_left_alone(here: World, say: object) -> None:
    say(here.context(), world.ledger(here.store))  # type: ignore[operator]
    before = world.contents(here.store)
    rest = here.watch().once()[RUN]
    assert isinstance(rest, Leave)
    assert rest.over
    assert world.contents(here.store) == before


def test_a_healthy_session_whose_place_does_not_answer_for_an_hour_is_not_touched(here: World) -> None:
    here.watch().once()
    here.hidden = True
    before = world.contents(here.store)
    for _ in range(60):
        rest = here.watch(None, "docker", "kaggle").once()[RUN]
        assert rest == Leave(why="session 1 on local does not answer, which does not mean that it is gone")
        here.now += 60.0
    assert world.contents(here.store) == before


def test_a_number_that_its_place_does_not_know_is_lost_after_a_minute(here: World) -> None:
    here.watch(None, "kaggle").once()
    here.living.clear()
    began = here.now
    rest = here.watch(None, "kaggle").once()[RUN]
    assert here.now - began == 60.0
    assert world.kinds(here.store)[-1] == "lost"
    assert world.entries(here.store)[-1]["why"] == "kaggle does not know it, on two look-ups 60 s apart"
    assert isinstance(rest, Wait)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_over_a_week_of_bad_luck_it_ends_like_the_untouched(here: World, untouched: list[bytes], seed: int) -> None:
    here.spell = drawn(seed)
    to_the_end(here)
    assert outcome(here) == untouched, f"seed {seed}"


SPELLS = {
    "all is well": Spell(),
    "killed": Spell(dooms=[Doom(how="killed", steps=5)]),
    "refused": Spell(answers=["capacity", "quota"]),
    "no answer": Spell(answers=["silent, made", "ok"], dooms=[Doom(how="killed", steps=5)]),
    "not made": Spell(answers=["silent, not made"]),
    "vanishes": Spell(answers=["capacity"], dooms=[Doom(how="vanishes"), Doom(how="killed", steps=5)]),
}

LONG = {"all is well", "not made"}
EACH = [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in SPELLS]


def spelled(name: str) -> Spell:
    return Spell(answers=list(SPELLS[name].answers), dooms=list(SPELLS[name].dooms))


def operations(here: World) -> int:
    store = WatchedStore(here.store)
    here.watch(store).until_over()
    return len(store.operations)


@pytest.mark.parametrize("name", EACH)
def test_killed_at_any_operation_and_repeated_it_changes_nothing(
    here: World, untouched: list[bytes], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = operations(anew(here, spelled(name), monkeypatch))
    assert count > 20
    for at in range(count):
        for after in (False, True):
            again = anew(here, spelled(name), monkeypatch)
            with pytest.raises(Killed):
                again.watch(FatedStore(again.store, Fate(at, after=after))).until_over()
            again.watch().until_over()
            assert again.fold().state is State.FINISHED, (at, after)
            assert outcome(again) == untouched, (at, after)


class Meanwhile(WatchedStore):
    """A store at whose operation `at` somebody else does something, before it."""

    def __init__(self, store: MemoryStore, at: int, act: object) -> None:
        super().__init__(store)
        self._at, self._act = at, act

    def _do(self, verb: str, key: str, act: object, tear: object) -> object:  # type: ignore[override]
        del tear
        if self._count(verb, key).number == self._at:
            self._act()  # type: ignore[operator]
        return act()  # type: ignore[operator]


@pytest.mark.parametrize("machines", [1, 2])
@pytest.mark.parametrize("name", EACH)
def test_run_twice_at_once_it_is_one_history(
    here: World, untouched: list[bytes], name: str, machines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each operation of the one, the other does all that it would do.

    On one machine there is one session at a time. On two, one may begin late: the ledger keeps it out.
    """
    count = operations(anew(here, spelled(name), monkeypatch))
    for at in range(count):
        again = anew(here, spelled(name), monkeypatch)
        again.machines = machines

        def other(again: World = again) -> None:
            with contextlib.suppress(Killed):
                again.watch().once()

        again.watch(Meanwhile(again.store, at, other)).until_over()
        assert again.fold().state is State.FINISHED, at
        assert outcome(again) == untouched, at


def test_two_that_decide_the_same_ask_once(here: World) -> None:
    spots = [orders.place(here.context(), "local", None) for _ in range(2)]
    for where in spots:
        asking.ask(here.context(), world.ledger(here.store), where, 1, world.quiet)
    assert here.asked == [("local", 1)]
    assert world.kinds(here.store) == ["created", "intent", "launched"]
