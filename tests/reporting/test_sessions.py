"""The sessions of a run, as its ledger tells them."""

from __future__ import annotations

from facegan.reporting.sessions import Session, sessions
from facegan.storage.memory import MemoryStore
from tests.reporting import world as here
from tests.unit.jobs import world


def told(store: MemoryStore, run: str = "a") -> tuple[Session, ...]:
    return sessions(world.ledger(store, run).entries())


def test_a_run_that_nobody_began_has_none(store: MemoryStore) -> None:
    world.create(store, "a")
    assert told(store) == ()


def test_a_session_that_was_asked_for_is_open(store: MemoryStore) -> None:
    world.create(store, "a")
    world.ask(store, "a")
    (found,) = told(store)
    assert (found.number, found.backend, found.outcome, found.took_s) == (1, "local", "open", 0.0)


def test_two_sessions_of_which_the_first_broke(store: MemoryStore) -> None:
    here.finished(store, "a", sessions=2)
    first, second = told(store)
    assert (first.first, first.last, first.outcome, first.join) == (0, 20, "failed", "exact")
    assert "out of memory" in first.why
    assert (second.first, second.last, second.outcome, second.join) == (20, 40, "finished", "exact")
    assert (second.device, second.software) == ("toy", "")
    assert first.reported
    assert second.reported


def test_one_that_was_killed_is_counted_to_its_last_entry(store: MemoryStore) -> None:
    world.interrupted(store, "a")
    (found,) = told(store)
    assert (found.outcome, found.why) == ("interrupted", "received SIGTERM")
    store.objects.clear()
    world.create(store, "a")
    world.ask(store, "a")
    world.die(store, 1, "a")
    world.append(store, "lost", "a", session=1, why="its process is gone")
    (found,) = told(store)
    assert (found.last, found.outcome, found.why, found.reported) == (4, "lost", "its process is gone", False)


def test_a_lease_over_another_s_head_ends_that_one(store: MemoryStore) -> None:
    world.create(store, "a")
    world.ask(store, "a")
    world.die(store, 1, "a")
    world.ask(store, "a", 2)
    world.train(store, 2, "a")
    first, second = told(store)
    assert (first.outcome, first.why) == ("lost", "silent; session 2 took over")
    assert second.outcome == "finished"


def test_a_session_that_a_backend_refused(store: MemoryStore) -> None:
    world.create(store, "a")
    world.ask(store, "a")
    world.append(store, "refused", "a", session=1, why="no GPU is free")
    (found,) = told(store)
    assert (found.outcome, found.why) == ("refused", "no GPU is free")
