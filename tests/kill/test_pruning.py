"""Letting go of old states: which go, what a killed prune leaves, and that no reader ever misses one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan import checkpoints, layout, pruning
from facegan.errors import NotHolderError, SessionExit
from facegan.experiment import override
from facegan.ledger import IllegalEntryError
from facegan.pruning import Leftover, Policy, remove, sweep
from facegan.storage.base import LARGEST, ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    append,
    ask,
    assert_untouched,
    begun,
    contents,
    declare_lost,
    judged,
    kinds,
    ledger_of,
    resume,
)
from tests.fakes.killing import Death, Killed, MortalStore, WatchedStore

ALL = override(SHORT, ["checkpoint.every_steps=2", "checkpoint.keep=100"])  # nothing goes by itself
TWO = Policy(newest=2)


def copied(objects: dict[str, bytes]) -> MemoryStore:
    store = MemoryStore()
    store.objects.update(objects)
    return store


@functools.cache
def finished() -> dict[str, bytes]:
    """A finished run with ten states, and what a first session, killed while it committed, left un-named."""
    store = begun("memory", Path(), ALL)
    with pytest.raises(Killed):
        Session(store=MortalStore(store, at_put_of(7), Death.BEFORE), holder="first", number=1).run()
    assert resume(store, "second") is SessionExit.FINISHED
    return contents(store)


def at_put_of(checkpoint: int) -> int:
    """The operation by which a session would append its so many-th checkpoint."""
    watched = WatchedStore(begun("memory", Path(), ALL))
    Session(store=watched, holder="first", number=1).run()
    puts = [it.number for it in watched.operations if it.verb == "put" and it.key.endswith("metrics.jsonl")]
    return puts[checkpoint - 1] + 1


def states(store: ObjectStore) -> list[int]:
    return sorted(
        int(key.split("/")[3].split("-")[0])
        for key in store.list(layout.checkpoints(RUN))
        if key.endswith("state.safetensors")
    )


def pruned(store: ObjectStore, policy: Policy, holder: str = "pruner") -> list[Leftover]:
    ledger = ledger_of(store, holder)
    return list(remove(ledger, sweep(ledger, policy)))


# Which


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (Policy(newest=2), [18, 20]),
        (Policy(newest=0), [18, 20]),
        (Policy(newest=3), [16, 18, 20]),
        (Policy(newest=99), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
        (Policy(newest=2, every=8), [8, 16, 18, 20]),
        (Policy(newest=2, every=5), [6, 10, 16, 18, 20]),
        (Policy(newest=2, every=1), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
        (Policy(newest=2, every=50), [18, 20]),
    ],
)
def test_the_newest_stay_and_the_first_of_every_so_many_steps(policy: Policy, kept: Sequence[int]) -> None:
    store = copied(finished())
    pruned(store, policy)
    assert states(store) == list(kept)
    assert_whole(store)


@given(st.lists(st.integers(1, 60), unique=True).map(sorted), st.integers(0, 6), st.none() | st.integers(1, 30))
def test_what_a_policy_keeps_does_not_depend_on_how_often_it_was_asked(
    steps: list[int], newest: int, every: int | None
) -> None:
    policy, good = Policy(newest=newest, every=every), []
    for point in enumerate(steps):
        good.append(point)
        good = [it for it in good if it[0] not in policy.spare(good)]
    everything = list(enumerate(steps))
    at_once = [it for it in everything if it[0] not in policy.spare(everything)]
    assert good == at_once
    assert good[-2:] == everything[-2:]


def test_a_session_keeps_both_kinds_by_itself() -> None:
    experiment = override(SHORT, ["checkpoint.every_steps=2", "checkpoint.keep=2", "checkpoint.keep_every=8"])
    store = begun("memory", Path(), experiment)
    assert Session(store=store, holder="first", number=1).run() is SessionExit.FINISHED
    assert states(store) == [8, 16, 18, 20]
    assert_whole(store)


def assert_whole(store: ObjectStore) -> None:
    """The run is proven, has lost no step, and could still be gone on with from two checkpoints."""
    verdict = judged(store)
    assert (verdict.wrong, verdict.steps) == ([], 20)
    ledger = ledger_of(store)
    assert len(ledger.refresh().good) >= 2
    assert checkpoints.restore(ledger).step == 20


def test_metrics_samples_and_entries_stay() -> None:
    store = copied(finished())
    pruned(store, TWO)
    gone = finished().keys() - contents(store).keys()
    named = {key for key in gone if "/14-1/" not in key}
    assert {key.rpartition("/")[2] for key in named} == {"state.safetensors"}
    assert gone - named == {f"runs/{RUN}/checkpoints/14-1/{name}" for name in ("state.safetensors", "metrics.jsonl")}


def test_a_sweep_writes_nothing_and_says_exactly_what_a_prune_deletes() -> None:
    store = copied(finished())
    ledger = ledger_of(store)
    found = sweep(ledger, TWO)
    assert contents(store) == finished()
    assert list(remove(ledger, found)) == found
    assert {left.key: left.size for left in found} == {
        key: len(data) for key, data in finished().items() if key not in contents(store)
    }
    assert sweep(ledger_of(store), TWO) == []


def test_a_state_that_is_not_whole_does_not_count_among_those_kept() -> None:
    store = copied(finished())
    store.put(f"runs/{RUN}/checkpoints/18-2/state.safetensors", b"cut")
    del store.objects[f"runs/{RUN}/checkpoints/16-2/metrics.jsonl"]
    pruned(store, TWO)
    assert states(store) == [14, 16, 18, 20]


def test_a_real_loss_is_seen_after_a_prune() -> None:
    for key in finished():
        store = copied(finished())
        pruned(store, TWO)
        if "/sessions/" in key or key not in store.objects:
            continue
        del store.objects[key]
        assert key in {found.object for found in judged(store).wrong}


# Killed


@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
def test_killed_anywhere_a_prune_loses_nothing_and_the_next_finishes_it(death: Death) -> None:
    whole = copied(finished())
    pruned(whole, TWO)
    for at in itertools.count():
        store = copied(finished())
        mortal = MortalStore(store, at, death)
        try:
            pruned(mortal, TWO)
        except Killed:
            assert_whole(store)
            pruned(store, TWO, "again")
        assert_whole(store)
        assert contents(store).keys() - contents(whole).keys() <= {layout.entry(RUN, len(kinds(whole)))}
        if not mortal.dead:
            break
    assert at > 20


def test_a_state_whose_deletion_was_cut_off_is_found_again() -> None:
    store = copied(finished())
    deletes = (at for at in itertools.count() if dies_deleting(store, at))
    next(deletes)
    assert [left.why for left in sweep(ledger_of(store), TWO)].count(pruning.CUT_OFF) == 8
    assert_whole(store)


def dies_deleting(store: ObjectStore, at: int) -> bool:
    mortal = MortalStore(store, at, Death.BEFORE)
    with pytest.raises(Killed):
        pruned(mortal, TWO)
    return mortal.operations[-1].verb == "delete"


# Beside a session


def test_un_named_objects_of_a_number_that_has_not_ended_stay() -> None:
    store = begun("memory", Path(), ALL)
    with pytest.raises(Killed):
        Session(store=MortalStore(store, at_put_of(7), Death.BEFORE), holder="first", number=1).run()
    un_named = f"runs/{RUN}/checkpoints/14-1/state.safetensors"
    store.put(f"runs/{RUN}/checkpoints/16-2/state.safetensors", b"of a number that nobody asked for yet")
    store.put(f"runs/{RUN}/checkpoints/something-else", b"not ours")
    pruned(store, TWO)
    assert un_named in store.objects
    declare_lost(store)
    pruned(store, TWO)
    assert un_named not in store.objects
    assert {key for key in store.objects if "/16-2/" in key or "/something" in key} != set()
    assert resume(store, "second") is SessionExit.FINISHED


def test_a_prune_may_come_between_any_two_operations_of_a_session() -> None:
    """And the session may be killed there, and restored from what is left."""

    class Beside(WatchedStore):
        """Somebody prunes before the operation of this number."""

        def __init__(self, store: ObjectStore, at: int) -> None:
            super().__init__(store)
            self.at = at
            self.refused = False

        def _do(self, verb: str, key: str, act: Callable[[], Any], tear: Callable[[], None]) -> Any:
            if len(self.operations) == self.at:
                try:
                    pruned(self.store, TWO, f"pruner {self.at}")
                except IllegalEntryError:
                    self.refused = True
            return super()._do(verb, key, act, tear)

    refused = 0
    for at in itertools.count():
        store = begun("memory", Path(), override(ALL, ["checkpoint.every_steps=4"]))
        with pytest.raises(Killed):
            Session(store=MortalStore(store, 30, Death.AFTER), holder="first", number=1).run()
        declare_lost(store)
        beside = Beside(store, at)
        assert Session(store=beside, holder="second", number=ask(store)).run() is SessionExit.FINISHED
        assert_untouched(store)
        refused += beside.refused
        if at > len(beside.operations):
            break
    assert refused > 3, "while it restores, nobody else may let go of anything"


def test_a_restoring_session_finds_the_state_that_it_read_about() -> None:
    """The two newest are damaged, and somebody prunes while the third is being read."""
    store = begun("memory", Path(), ALL)
    with pytest.raises(Killed):
        Session(store=MortalStore(store, at_put_of(5), Death.BEFORE), holder="first", number=1).run()
    declare_lost(store)
    for step in (6, 8):
        key = f"runs/{RUN}/checkpoints/{step}-1/state.safetensors"
        store.put(key, b"x" * len(store.get(key)))

    class Meanwhile(WatchedStore):
        def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
            if "/4-1/" in key:
                with pytest.raises(IllegalEntryError, match="has not said yet"):
                    pruned(store, TWO)
            return super().get(key, at_most=at_most)

    assert Session(store=Meanwhile(store), holder="second", number=ask(store)).run() is SessionExit.FINISHED
    known = [f"runs/{RUN}/checkpoints/{step}-1/state.safetensors" for step in (6, 8)]
    assert_untouched(store, known=known)


def test_who_does_not_hold_the_lease_does_not_prune_as_a_session() -> None:
    store = copied(finished())
    ledger = ledger_of(store, "other")
    ledger.refresh()
    with pytest.raises(NotHolderError):
        pruning.prune(ledger, TWO)
    assert contents(store) == finished()


def test_it_is_said_before_it_is_done() -> None:
    watched = WatchedStore(copied(finished()))
    pruned(watched, TWO)
    writes = [it.verb for it in watched.operations if it.verb in {"put_new", "put", "delete"}]
    assert writes == ["put_new", *["delete"] * 10]


def test_entries_that_were_appended_since_the_sweep_are_respected() -> None:
    store = copied(finished())
    ledger = ledger_of(store)
    found = sweep(ledger, TWO)
    gone = [left.key for left in found if left.why == pruning.OLD]
    pruned(store, Policy(newest=8), "faster")
    append(ledger_of(store), "extended", steps=40)
    assert [left.key for left in remove(ledger, found)][: len(gone)] == gone
    assert_whole(store)
