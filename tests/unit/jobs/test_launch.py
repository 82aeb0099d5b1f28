"""`submit` and `resume`: what they ask for, once, and what they refuse."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from facegan import layout
from facegan import session as wire
from facegan.errors import BadInputError, DamagedError, SessionExit
from facegan.ledger import NoRunError, State
from facegan.ledger.fold import OpenSession
from facegan.storage.memory import MemoryStore
from jobs import launch, orders, sweeping, word
from jobs.context import Context
from jobs.errors import JobError
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN, FakeBackend, place

SUBMITTED = ["created", "intent", "launched"]


def test_submit_writes_down_the_intent_before_it_asks_the_backend(context: Context, store: MemoryStore) -> None:
    seen: list[str] = []

    class Curious(FakeBackend):
        def submit(self, order: orders.Order, hand: launch.Hand) -> dict[str, object]:
            seen.extend(world.kinds(store))
            return super().submit(order, hand)

    fold = world.submit(context, Curious())
    assert seen == ["created", "intent"]
    assert world.kinds(store) == SUBMITTED
    assert fold.state is State.QUEUED
    assert fold.open[0].ref == world.alive()


def test_the_order_names_the_run_where_the_session_finds_it(context: Context) -> None:
    context.store.url = "memory://here"
    session = OpenSession(number=3, backend="local", gpu="T4", bundle={"id": "sha256:1"})
    order = orders.order(context, RUN, session, upload_s=9.0)
    assert order == orders.Order(
        run=RUN,
        run_url=f"memory://here/runs/{RUN}",
        number=3,
        gpu="T4",
        bundle={"id": "sha256:1"},
        grace_s=90.0,
    )
    assert orders.order(context, RUN, session).grace_s == orders.SHORTEST_GRACE_S


def test_submit_twice_makes_one_session(context: Context, store: MemoryStore) -> None:
    backend = FakeBackend()
    world.submit(context, backend)
    world.submit(dataclasses.replace(context, writer=world.writer()), backend)
    assert list(backend.place.sessions) == [(RUN, 1)]
    assert world.kinds(store) == SUBMITTED


def test_submit_with_other_content_is_refused_and_writes_nothing(context: Context, store: MemoryStore) -> None:
    world.submit(context, FakeBackend())
    before = world.contents(store)
    for other in ("seed=7", "training.steps=13", "data.name=mnist"):
        with pytest.raises(BadInputError, match=f'there is a run "{RUN}" already, with other content'):
            world.submit(context, FakeBackend(), world.experiment(other))
    assert world.contents(store) == before


def test_submit_of_a_run_that_has_an_answer_starts_nothing(context: Context, store: MemoryStore) -> None:
    backend = FakeBackend()
    world.finished(store)
    assert world.submit(context, backend).state is State.FINISHED
    assert not backend.place.sessions


def test_submit_does_not_end_a_stop(context: Context, store: MemoryStore) -> None:
    backend = FakeBackend()
    word.stop(context, world.interrupted(store))
    assert world.submit(context, backend).state is State.STOPPED
    assert not backend.place.sessions


def test_submit_of_an_interrupted_run_goes_on(context: Context, store: MemoryStore) -> None:
    backend = FakeBackend()
    world.interrupted(store)
    world.submit(context, backend)
    assert list(backend.place.sessions) == [(RUN, 2)]


def test_submit_of_a_running_run_joins_it(context: Context, store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())
    before = world.contents(store)
    assert world.submit(context, FakeBackend()).state is State.RUNNING
    assert world.contents(store) == before


def test_resume_of_a_session_that_is_gone_waits_for_nobody(context: Context, store: MemoryStore) -> None:
    backend = FakeBackend()
    world.create(store)
    world.ask(store)
    world.die(store)
    fold = world.resume(context, backend)
    assert world.kinds(store)[-3:] == ["lost", "intent", "launched"]
    assert (fold.newest, fold.state) == (2, State.QUEUED)
    time = world.Clock()
    assert world.train(store, 2, time=time) is SessionExit.FINISHED
    assert not time.slept, "the newcomer watched a session that is gone"
    assert world.is_whole(store)


def test_resume_of_a_session_that_is_alive_changes_nothing(context: Context, store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())
    before, said = world.contents(store), list[str]()
    launch.resume(context, world.ledger(store), place(FakeBackend()), None, said.append)
    assert said == ["session 1 is alive on local"]
    assert world.contents(store) == before


def test_resume_of_a_session_nobody_knows_about_lets_the_new_one_watch_it(context: Context, store: MemoryStore) -> None:
    """Unreachable is not dead: the old session is not declared lost, and not trusted to live either."""
    backend, said = FakeBackend(), list[str]()
    world.create(store)
    world.ask(store)
    world.die(store, machine={"host": "elsewhere", "boot": "b", "pid": 1, "start": "1"})
    launch.resume(context, world.ledger(store), place(backend), None, said.append)
    assert "session 1 does not answer, which does not mean that it is gone" in said[0]
    assert "lost" not in world.kinds(store)
    time = world.Clock()
    assert world.train(store, 2, time=time) is SessionExit.FINISHED
    assert sum(time.slept) == pytest.approx(12), "it watched for the lease time"
    assert world.is_whole(store)


def test_resume_of_a_session_on_a_backend_of_a_newer_version_does_not_call_it_gone(
    context: Context, store: MemoryStore
) -> None:
    world.create(store)
    world.append(store, "intent", session=1, backend="moonbase")
    world.append(store, "launched", session=1, ref=world.gone())
    world.resume(context, FakeBackend())
    assert "lost" not in world.kinds(store)
    assert world.entries(store)[-2]["session"] == 2


def test_resume_of_a_session_that_was_never_launched_launches_it(context: Context, store: MemoryStore) -> None:
    backend = FakeBackend()
    world.create(store)
    world.ask(store)
    world.resume(context, backend)
    assert list(backend.place.sessions) == [(RUN, 1)]
    assert world.kinds(store) == SUBMITTED


@pytest.mark.parametrize("stopped", [False, True])
def test_a_session_that_was_started_and_does_not_answer_is_not_begun_again(
    context: Context, store: MemoryStore, stopped: bool
) -> None:
    """It may wait at its place, which does not know its name on this machine."""
    backend, said = FakeBackend(), list[str]()
    ledger = world.create(store)
    world.ask(store)
    world.append(store, "launched", session=1, ref={"host": "elsewhere", "boot": "b", "pid": 1, "start": "1"})
    before = world.contents(store)
    launch.submit(context, ledger, place(backend), said.append)
    assert said == ["session 1 was started on local, and does not answer: it is waited for"]
    assert world.contents(store) == before
    if stopped:
        word.stop(context, world.ledger(store))
    world.resume(context, backend)
    assert "lost" not in world.kinds(store), "unreachable is not dead"
    assert list(backend.place.sessions) == [(RUN, 2)], "the user's word is the next number"
    assert world.train(store, 2) is SessionExit.FINISHED


def test_the_next_session_is_not_begun_before_what_the_last_one_left_is_swept(
    context: Context, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has followed the last one to its end: `submit --detach` and `resume --detach` leave it alone."""
    backend = FakeBackend()
    monkeypatch.setattr(sweeping, "open_backend", lambda *_, **__: backend)
    world.interrupted(store)
    world.resume(context, backend)
    assert backend.swept == [(layout.run_url(store.url, RUN), ())]


def test_resume_of_an_unknown_run_is_no_such_run(context: Context, store: MemoryStore) -> None:
    with pytest.raises(NoRunError):
        world.resume(context, FakeBackend())
    assert not world.contents(store)


@pytest.mark.parametrize("state", ["finished", "cancelled"])
def test_resume_of_a_final_run_is_refused(state: str, context: Context, store: MemoryStore) -> None:
    if state == "finished":
        world.finished(store)
    else:
        word.cancel(context, world.interrupted(store))
    before = world.contents(store)
    with pytest.raises(JobError, match=f'run "{RUN}" is {state}'):
        world.resume(context, FakeBackend())
    assert world.contents(store) == before


def test_resume_with_steps_makes_a_finished_run_longer(context: Context, store: MemoryStore) -> None:
    world.finished(store)
    fold = world.resume(context, FakeBackend(), steps=20)
    assert (fold.steps, fold.state) == (20, State.QUEUED)
    assert world.train(store, 2) is SessionExit.FINISHED
    assert world.ledger(store).refresh().reached == 20
    assert world.is_whole(store)


def test_resume_with_the_same_steps_again_extends_once(context: Context, store: MemoryStore) -> None:
    world.interrupted(store)
    world.resume(context, FakeBackend(), steps=20)
    world.resume(context, FakeBackend(), steps=20)
    assert world.kinds(store).count("extended") == 1


@pytest.mark.parametrize("steps", [1, 11])
def test_a_run_cannot_be_made_shorter(steps: int, context: Context, store: MemoryStore) -> None:
    world.finished(store)
    before = world.contents(store)
    with pytest.raises(BadInputError, match=f'is 12 steps long, and can only be made longer than that, not "{steps}"'):
        world.resume(context, FakeBackend(), steps=steps)
    assert world.contents(store) == before


def test_a_cancelled_run_is_not_made_longer(context: Context, store: MemoryStore) -> None:
    word.cancel(context, world.interrupted(store))
    before = world.contents(store)
    with pytest.raises(JobError, match="is cancelled, which is final"):
        world.resume(context, FakeBackend(), steps=20)
    assert world.contents(store) == before


def test_only_resume_ends_a_stop(context: Context, store: MemoryStore) -> None:
    word.stop(context, world.interrupted(store))
    assert world.train(store, None) is SessionExit.INTERRUPTED, "started by hand"
    assert world.ledger(store).refresh().state is State.STOPPED
    world.resume(context, FakeBackend())
    assert world.train(store, 2) is SessionExit.FINISHED


def test_resume_ends_a_stop_that_came_before_the_session_could_begin(context: Context, store: MemoryStore) -> None:
    """A command killed between intent and launch, then the user's stop: the old number may no longer begin."""
    world.create(store)
    world.ask(store)
    word.stop(context, world.ledger(store))
    backend = FakeBackend()
    fold = world.resume(context, backend)
    assert not fold.stop
    assert [session.number for session in fold.open] == [2]
    assert world.train(store, 2) is SessionExit.FINISHED


@pytest.mark.parametrize("at_s", [3, 30])
def test_resume_waits_for_a_session_that_is_stopping(at_s: int, home: Path, store: MemoryStore) -> None:
    backend, time = FakeBackend(), world.Clock()
    context = world.context(home, store, time)
    world.submit(context, backend)
    word.stop(context, world.ledger(store))
    time.at(at_s, lambda: world.train(store, 1))
    fold = world.resume(context, backend)
    assert time.now == 100 + at_s
    assert world.kinds(store) == [*SUBMITTED, "stop", "report", "intent", "launched"]
    assert (fold.state, fold.stop, fold.newest) == (State.QUEUED, False, 2)
    assert world.train(store, 2) is SessionExit.FINISHED


def test_resume_does_not_wait_for_a_session_that_died_stopping(home: Path, store: MemoryStore) -> None:
    time = world.Clock()
    context = world.context(home, store, time)
    world.create(store)
    world.ask(store)
    world.die(store)
    world.append(store, "stop")
    world.resume(context, FakeBackend())
    assert not time.slept
    assert world.kinds(store)[-3:] == ["lost", "intent", "launched"]


def test_a_ledger_that_lost_its_end_is_not_resumed(context: Context, store: MemoryStore) -> None:
    world.interrupted(store)
    whole = world.ledger(store)
    whole.refresh()
    seq, digest = whole.head
    beat = wire.Heartbeat(counter=9, seq=seq, digest=digest, phase="ended")
    wire.write(store, RUN, 1, beat)
    store.delete(layout.entry(RUN, seq))
    before = world.contents(store)
    with pytest.raises(DamagedError, match="is not the one a session has seen"):
        world.resume(context, FakeBackend())
    assert world.contents(store) == before


def test_bury_appends_lost_only_for_what_is_gone(context: Context, store: MemoryStore) -> None:
    world.create(store)
    for number, ref in enumerate([world.gone(), world.alive(), {}, {"host": "elsewhere"}], 1):
        world.ask(store, number=number)
        world.append(store, "launched", session=number, ref=ref)
    world.ask(store, number=5)  # never launched
    fold = launch.bury(context, world.ledger(store))
    assert [session.number for session in fold.open] == [2, 3, 4, 5]
    assert [entry["session"] for entry in world.entries(store) if entry["kind"] == "lost"] == [1]


def test_bury_believes_the_lease_and_not_the_ref(context: Context, store: MemoryStore) -> None:
    """An engine that starts a session again gives it another process than the one that was launched."""
    world.create(store)
    world.ask(store)
    world.append(store, "launched", session=1, ref=world.gone())
    world.die(store, machine=world.alive())
    assert launch.bury(context, world.ledger(store)).open


def test_bury_never_declares_a_session_lost_that_leased_meanwhile(store: MemoryStore) -> None:
    """The evidence was taken before the lease: it speaks of another process."""
    world.create(store)
    world.ask(store)
    world.append(store, "launched", session=1, ref=world.gone())
    mine = world.ledger(store)
    stale = mine.refresh().open[0]
    world.die(store, machine=world.alive())
    launch.append_lost(mine, stale, "its process is gone")
    assert "lost" not in world.kinds(store)
    assert mine.refresh().state is State.RUNNING


def test_bury_of_the_buried_appends_nothing(context: Context, store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store)
    first, second = world.ledger(store), world.ledger(store)
    stale = second.refresh().open[0]
    launch.bury(context, first)
    launch.append_lost(second, stale, "its process is gone")
    launch.bury(context, second)
    assert world.kinds(store).count("lost") == 1


def test_a_session_started_by_hand_is_buried_by_its_lease(context: Context, store: MemoryStore) -> None:
    world.create(store)
    world.die(store, None)
    assert world.entries(store)[1]["backend"] == "hand"
    assert not launch.bury(context, world.ledger(store)).open


def test_a_place_is_refused_with_what_would_fit(context: Context) -> None:
    with pytest.raises(BadInputError, match='unknown backend "kagle"') as raised:
        orders.place(context, "kagle", None)
    assert raised.value.hint is not None
    assert "known: " in raised.value.hint
    with pytest.raises(BadInputError, match='on backend "local" cannot reach the store "memory://"') as raised:
        orders.place(context, None, None)
    assert raised.value.hint is not None
    assert "file://" in raised.value.hint
