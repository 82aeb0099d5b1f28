"""Finding a run by the beginning of its id, and listing what goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.errors import BadInputError, DamagedError
from facegan.ledger import NoRunError
from facegan.storage.memory import MemoryStore
from jobs import runs, word
from jobs.context import Context
from jobs.ended import EndedRuns
from tests.fakes.killing import WatchedStore
from tests.unit.jobs import world


@pytest.fixture
def three(store: MemoryStore) -> MemoryStore:
    for run in ("cogan-a2", "dcgan-a2", "dcgan-a23"):
        world.create(store, run)
    return store


@pytest.mark.parametrize(
    ("prefix", "found"),
    [("c", "cogan-a2"), ("cogan-a2", "cogan-a2"), ("dcgan-a2", "dcgan-a2"), ("dcgan-a23", "dcgan-a23")],
)
def test_an_id_or_a_beginning_that_only_one_has_finds_it(
    prefix: str, found: str, context: Context, three: MemoryStore
) -> None:
    assert three.objects
    assert runs.find(context, prefix).run == found


def test_a_beginning_that_several_have_names_them(context: Context, three: MemoryStore) -> None:
    assert three.objects
    with pytest.raises(BadInputError, match='"dcgan-a" begins the id of 2 runs') as raised:
        runs.find(context, "dcgan-a")
    assert raised.value.hint == "dcgan-a2, dcgan-a23"


@pytest.mark.parametrize("prefix", ["x", "dcgan-a234", "an-a2"])
def test_what_begins_no_id_is_no_such_run(prefix: str, context: Context, three: MemoryStore) -> None:
    assert three.objects
    with pytest.raises(NoRunError, match=f'there is no run "{prefix}" in memory://'):
        runs.find(context, prefix)


@pytest.mark.parametrize("prefix", ["", "../x", "A", "a/b", "*"])
def test_what_can_be_no_id_is_bad_input(prefix: str, context: Context) -> None:
    with pytest.raises(BadInputError, match="cannot be the id of a run"):
        runs.find(context, prefix)


def test_a_damaged_run_is_found_only_by_those_who_ask_for_it_so(context: Context, store: MemoryStore) -> None:
    world.finished(store)
    last = max(store.list(f"runs/{world.RUN}/ledger/"))
    store.put(last, store.get(last)[:-5])
    with pytest.raises(DamagedError, match=last):
        runs.find(context, world.RUN)
    assert runs.find(context, world.RUN, checked=False).run == world.RUN


def test_what_goes_on_is_listed_newest_first_and_what_is_over_is_remembered(
    home: Path, context: Context, store: MemoryStore
) -> None:
    world.interrupted(store, "a")
    world.finished(store, "b")
    world.create(store, "c")
    word.cancel(context, world.interrupted(store, "d"))
    assert {view.run for view in runs.live(context)} == {"a", "c"}
    assert EndedRuns(home, store.url).names() == {"b", "d"}
    assert {view["run"] for view in runs.ended(context, None)} == {"b", "d"}


def test_what_is_over_costs_nothing_the_next_time(home: Path, store: MemoryStore) -> None:
    for number in range(5):
        world.finished(store, f"run-{number}")
    world.interrupted(store, "open")
    watched = WatchedStore(store)
    runs.live(world.context(home, watched))
    first = len(watched.operations)
    runs.live(world.context(home, watched))
    again = watched.operations[first:]
    assert {operation.key.split("/")[1] for operation in again} <= {"", "open"}
    assert len(again) == 3, "one listing of the runs, and a listing and a get for the one that goes on"


def test_a_cancelled_run_is_not_over_while_a_session_may_still_commit(context: Context, store: MemoryStore) -> None:
    """The holder may commit what it is uploading: what is remembered now would be wrong a moment later."""
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())
    word.cancel(context, world.ledger(store))
    assert [view.run for view in runs.live(context)] == [world.RUN]
    assert runs.ended(context, None) == []


def test_a_folder_without_a_ledger_is_no_run(context: Context, store: MemoryStore) -> None:
    store.put("runs/left-over/checkpoints/4-1/state.safetensors", b"")
    assert runs.live(context) == []
    with pytest.raises(NoRunError):
        runs.find(context, "left-over").refresh()


def test_one_damaged_run_does_not_hide_the_others(context: Context, store: MemoryStore) -> None:
    world.interrupted(store, "a")
    world.interrupted(store, "b")
    last = max(store.list("runs/a/ledger/"))
    store.put(last, store.get(last)[:-5])
    found = {view.run: view for view in runs.live(context)}
    assert {run: view.state for run, view in found.items()} == {"a": "damaged", "b": "interrupted"}
    assert last in found["a"].why
    assert not found["a"].over, "it may be restored from a copy"


def test_a_run_that_was_removed_elsewhere_is_forgotten(home: Path, context: Context, store: MemoryStore) -> None:
    world.finished(store, "a")
    world.finished(store, "b")
    runs.live(context)
    word.remove(world.context(home, store), world.ledger(store, "a"))
    runs.live(context)
    assert [view["run"] for view in runs.ended(context, None)] == ["b"]
