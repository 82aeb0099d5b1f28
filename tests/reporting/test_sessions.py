"""The sessions of a run as the page has them: read with the store's times, and with no more requests than they need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from facegan import layout
from facegan.experiment import Experiment
from facegan.hours import SessionHours
from facegan.ledger import Ledger
from facegan.reporting import comparison
from facegan.reporting.subject import subject
from facegan.storage.memory import MemoryStore
from tests.fakes.killing import WatchedStore
from tests.reporting import world as here
from tests.unit.jobs import world


def told(store: MemoryStore, run: str = "a") -> tuple[SessionHours, ...]:
    return subject(world.ledger(store, run)).sessions


def time(store: MemoryStore, run: str = "a") -> str:
    """The cell of the comparison."""
    rows = comparison.overview([subject(world.ledger(store, run))])["Time and machines"]
    return next(row.cells[0] for row in rows if row.name == "time in sessions")


def test_a_run_that_nobody_began_has_none(store: MemoryStore) -> None:
    world.create(store, "a")
    assert told(store) == ()
    assert time(store) == "-"


def test_a_session_that_was_asked_for_is_open(store: MemoryStore) -> None:
    world.create(store, "a")
    world.ask(store, "a")
    (found,) = told(store)
    assert (found.stay.number, found.stay.backend, found.stay.outcome, found.took) == (1, "local", "open", 0)


def test_two_sessions_of_which_the_first_broke(store: MemoryStore) -> None:
    here.finished(store, "a", sessions=2)
    first, second = (each.stay for each in told(store))
    assert (first.first, first.last, first.outcome, first.join) == (0, 20, "failed", "exact")
    assert "out of memory" in first.why
    assert (second.first, second.last, second.outcome, second.join) == (20, 40, "finished", "exact")
    assert (second.device, second.software) == ("toy", {})
    assert first.reported
    assert second.reported


def test_one_that_was_killed_is_counted_to_its_last_sign_of_life(store: MemoryStore) -> None:
    now = [1.8e9]
    store = MemoryStore(wall_s=lambda: now[0])
    world.create(store, "a")
    world.ask(store, "a")
    world.die(store, 1, "a")
    now[0] += 90.0
    store.put(layout.heartbeat("a", 1), b"{}")
    now[0] += 600.0
    world.append(store, "lost", "a", session=1, why="its process is gone")
    (found,) = told(store)
    assert (found.stay.last, found.stay.outcome, found.stay.why) == (4, "lost", "its process is gone")
    assert found.took == 90_000
    assert time(store) == "about 1m 30s"


def test_one_that_reported_took_what_it_says_in_a_copy_of_the_store_too(store: MemoryStore) -> None:
    """A copy has the time of the copying alone, and what the session says finds no room there."""
    clock = world.Clock()
    world.create(store, "a")
    world.ask(store, "a")
    world.train(store, 1, "a", build=lambda experiment: Slow(experiment, clock), time=clock)
    copy = MemoryStore(wall_s=lambda: 5.0)
    for key, data in world.contents(store).items():
        copy.put(key, data)
    (found,) = told(copy)
    assert (found.own, found.took) == (0, 12 * 30_000)
    assert time(copy) == "6m 00s"


class Slow(here.DrawingToy):
    """Half a minute for every step."""

    def __init__(self, experiment: Experiment, clock: world.Clock) -> None:
        super().__init__(experiment)
        self._clock = clock

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._clock.sleep(30.0)
        return super().advance(steps)


def test_what_did_not_report_how_long_it_took_is_about_so_long(store: MemoryStore) -> None:
    """An end that somebody else reports, or that an older version wrote, says nothing of time."""
    now = [1.8e9]
    store = MemoryStore(wall_s=lambda: now[0])
    world.create(store, "a")
    world.ask(store, "a")
    world.die(store, 1, "a", machine=world.alive())
    now[0] += 60.0
    world.append_as_holder(store, "report", "a", session=1, outcome="interrupted", step=4, why="received SIGTERM")
    (found,) = told(store)
    assert (found.stay.outcome, found.stay.why) == ("interrupted", "received SIGTERM")
    assert time(store) == "about 1m 00s"


def test_a_lease_over_another_s_head_ends_that_one(store: MemoryStore) -> None:
    world.create(store, "a")
    world.ask(store, "a")
    world.die(store, 1, "a")
    world.ask(store, "a", 2)
    world.train(store, 2, "a")
    first, second = (each.stay for each in told(store))
    assert (first.outcome, first.why) == ("lost", "silent; session 2 took over")
    assert second.outcome == "finished"


def test_a_session_that_a_backend_refused(store: MemoryStore) -> None:
    world.create(store, "a")
    world.ask(store, "a")
    world.append(store, "refused", "a", session=1, why="no GPU is free")
    (found,) = told(store)
    assert (found.stay.outcome, found.stay.why, found.took) == ("refused", "no GPU is free", 0)


def test_each_entry_is_fetched_once_and_listings_are_few(store: MemoryStore) -> None:
    """The newest entry is fetched first, for the state; heartbeats are listed where a session could not report."""
    here.finished(store, "a", sessions=2)
    watched = WatchedStore(store)
    subject(Ledger(watched, "a", world.writer()))
    fetched = Counter(each.key for each in watched.operations if each.verb == "get" and "/ledger/" in each.key)
    entries = store.list(layout.ledger("a"))
    assert fetched == dict.fromkeys(entries, 1) | {max(fetched): 2}
    listings = [(each.verb, each.key) for each in watched.operations if each.verb in {"list", "times", "sizes"}]
    assert listings == [("list", layout.ledger("a")), ("times", layout.ledger("a"))]
