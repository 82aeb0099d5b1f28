"""The user's word: given once or twice, it means the same; killed anywhere, nothing is half said."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from facegan.errors import FaceganError, SessionExit
from facegan.ledger import NoRunError, State
from facegan.storage.memory import MemoryStore
from jobs import runs, word
from jobs.context import Context
from jobs.errors import JobError
from tests.fakes.killing import Killed
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN, FakeBackend, Fate, FatedStore


@pytest.mark.parametrize("say", [word.stop, word.cancel])
def test_said_twice_it_is_written_down_once(say: object, context: Context, store: MemoryStore) -> None:
    world.interrupted(store)
    say(context, world.ledger(store))  # type: ignore[operator]
    before = world.contents(store)
    say(context, world.ledger(store))  # type: ignore[operator]
    assert world.contents(store) == before


@pytest.mark.parametrize("say", [word.stop, word.cancel])
def test_of_a_finished_run_nothing_is_asked(say: object, context: Context, store: MemoryStore) -> None:
    world.finished(store)
    before = world.contents(store)
    assert say(context, world.ledger(store)).state is State.FINISHED  # type: ignore[operator]
    assert world.contents(store) == before


def test_a_stop_holds_until_the_user_resumes(context: Context, store: MemoryStore) -> None:
    word.stop(context, world.interrupted(store))
    assert world.ledger(store).refresh().state is State.STOPPED
    assert world.train(store, None) is SessionExit.INTERRUPTED
    world.submit(context, FakeBackend())
    assert world.ledger(store).refresh().state is State.STOPPED
    assert not world.resume(context, FakeBackend()).stop


def test_a_stop_ends_a_session_at_a_checkpoint(context: Context, store: MemoryStore) -> None:
    """Said while it trains: the session hears it with its next heartbeat, commits, and reports."""
    world.create(store)
    world.ask(store)
    word.stop(context, world.ledger(store))
    assert world.train(store, 1) is SessionExit.INTERRUPTED
    assert world.kinds(store) == ["created", "intent", "stop", "report"]


def test_cancel_is_final(context: Context, store: MemoryStore) -> None:
    assert word.cancel(context, world.interrupted(store)).state is State.CANCELLED
    assert world.train(store, None) is SessionExit.INTERRUPTED
    with pytest.raises(JobError):
        world.resume(context, FakeBackend())
    assert word.stop(context, world.ledger(store)).state is State.CANCELLED
    assert world.kinds(store)[-1] == "cancel"


def test_stop_and_cancel_bury_the_dead(context: Context, store: MemoryStore) -> None:
    for say, state in ((word.stop, State.STOPPED), (word.cancel, State.CANCELLED)):
        store.objects.clear()
        world.create(store)
        world.ask(store)
        world.die(store)
        fold = say(context, world.ledger(store))
        assert (fold.state, fold.open) == (state, ())


def test_an_open_session_keeps_its_run(context: Context, store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())
    before = world.contents(store)
    with pytest.raises(JobError, match=f'run "{RUN}" has an open session, 1') as raised:
        word.remove(context, world.ledger(store))
    assert raised.value.hint == f"facegan-job cancel {RUN}"
    assert world.contents(store) == before


def test_removal_leaves_nothing_of_the_run_and_everything_of_others(context: Context, store: MemoryStore) -> None:
    other = f"{RUN}-2"
    world.finished(store, other)
    kept = world.contents(store)
    world.finished(store)
    mine = len(world.contents(store)) - len(kept)
    assert word.remove(context, world.ledger(store)) == mine
    assert world.contents(store) == kept


def test_what_sessions_left_at_their_places_goes_before_their_ledger(
    context: Context, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.finished(store)
    before, seen = world.contents(store), []

    class Place(FakeBackend):
        def sweep(self, run_url: str, keep: Collection[int]) -> None:
            seen.append((run_url.rpartition("/")[2], tuple(keep), world.contents(store) == before))

    monkeypatch.setattr("jobs.sweeping.open_backend", lambda *_, **__: Place())
    word.remove(context, world.ledger(store))
    assert seen == [(RUN, (), True)]


def removal_steps(home: Path) -> int:
    fate = Fate()
    context = world.context(home, FatedStore(_interrupted(), fate))
    word.remove(context, context.ledger(RUN))
    return len(fate.steps)


def _interrupted() -> MemoryStore:
    store = MemoryStore()
    world.interrupted(store)
    return store


def removals_killed(home: Path) -> list[tuple[str, MemoryStore]]:
    """What every kill of a removal leaves in the store."""
    left = []
    for at in range(removal_steps(home)):
        for after in (False, True):
            store = _interrupted()
            context = world.context(home, FatedStore(store, Fate(at, after=after)))
            with pytest.raises(Killed):
                word.remove(context, context.ledger(RUN))
            left.append((f"{'after' if after else 'before'} {at}", store))
    assert len(left) > 20
    return left


def test_a_removal_killed_anywhere_can_be_repeated_to_its_end(home: Path) -> None:
    for when, store in removals_killed(home):
        context = world.context(home, store)
        with contextlib.suppress(NoRunError):
            word.remove(context, runs.find(context, RUN, checked=False))
        assert not world.contents(store), when


def test_a_removal_killed_anywhere_leaves_a_run_that_is_seen_or_nothing_at_all(home: Path) -> None:
    for when, store in removals_killed(home):
        context = world.context(home, store)
        seen = [view.run for view in runs.live(context)]
        assert seen == ([RUN] if world.contents(store) else []), when


class Begun(world.ToyTrainer):
    """A toy that writes down where it began."""

    at: ClassVar[list[int]] = []

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self.at.append(self.step)
        return super().advance(steps)


def test_a_removal_killed_anywhere_leaves_no_run_that_begins_again(home: Path) -> None:
    """A run that had a history never starts from step 0, whatever of it was deleted."""
    for when, store in removals_killed(home):
        Begun.at.clear()
        refused = world.train(store, None, build=Begun) is not SessionExit.FINISHED
        assert (refused and not Begun.at) or Begun.at[0] == 4, when


def test_a_removal_killed_in_the_ledger_leaves_no_id_to_begin_again(home: Path) -> None:
    """An entry of the old run would stand in the new one's way later: the new one is refused at once."""
    for when, store in removals_killed(home):
        left = list(store.list(f"runs/{RUN}/ledger/"))
        if 0 < len(left) < 6:
            with pytest.raises(FaceganError):
                world.submit(world.context(home, store), FakeBackend(), world.experiment("seed=7"))
            assert not world.is_whole(store), when


def test_a_damaged_run_can_be_removed(context: Context, store: MemoryStore) -> None:
    world.finished(store)
    store.delete(f"runs/{RUN}/ledger/00000003.json")
    word.remove(context, runs.find(context, RUN, checked=False))
    assert not world.contents(store)
