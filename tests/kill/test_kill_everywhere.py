"""The promise the product stands on: killed anywhere, resumed, and nobody can tell.

Every logical operation a session asks of its store is a place to die: before it, in the middle of it, after it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Protocol

import pytest

from facegan.errors import SessionExit
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    STORES,
    Session,
    assert_untouched,
    begun,
    create,
    kinds,
    resume,
    take_over,
    untouched,
)
from tests.fakes.killing import Death, Killed, MortalStore, WatchedStore


class GoOn(Protocol):
    """A way to go on with a run whose session died."""

    def __call__(self, store: ObjectStore, holder: str, *, through: ObjectStore | None = None) -> SessionExit: ...


@functools.cache
def operations() -> int:
    """How many operations a whole session asks."""
    store = WatchedStore(begun("memory", Path()))
    Session(store=store, holder="first", number=1).run()
    return len(store.operations)


def kill(store: ObjectStore, holder: str, at: int, death: Death, *, number: int | None = None) -> bool:
    """Run a session that dies at that operation; whether it came so far."""
    mortal = MortalStore(store, at, death)
    try:
        Session(store=mortal, holder=holder, number=number).run()
    except Killed:
        return True
    return mortal.dead


def test_the_untouched_run_is_what_the_others_are_held_against() -> None:
    found = untouched()
    assert found.step == 20
    assert list(found.metrics) == list(range(1, 21))
    assert all({"loss", "image"} <= set(values) for values in found.metrics.values())
    assert [step for step, values in found.metrics.items() if "share" in values] == [10, 20]
    assert list(found.samples) == ["samples/00000010-grid.png", "samples/00000020-grid.png"]


def test_a_session_and_its_resumer_ask_every_kind_of_operation() -> None:
    store = begun("memory", Path())
    kill(store, "first", operations() // 2, Death.AFTER, number=1)
    first, second = WatchedStore(begun("memory", Path())), WatchedStore(store)
    Session(store=first, holder="first", number=1).run()
    take_over(store, "second", through=second)
    asked = {(it.verb, it.key.split("/")[2]) for it in first.operations + second.operations}
    assert asked == {
        ("list", "ledger"),
        ("get", "ledger"),
        ("put_new", "ledger"),
        ("put", "checkpoints"),
        ("get", "checkpoints"),
        ("delete", "checkpoints"),
        ("get", "sessions"),
        ("put", "sessions"),
    }
    assert sum("/output/" in it.key for it in first.operations) == 2


@pytest.mark.parametrize("go_on", [resume, take_over], ids=["found gone", "watched"])
@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.usefixtures("unsynced")
def test_killed_at_any_operation_a_run_ends_like_an_untouched_one(
    kind: str, death: Death, go_on: GoOn, tmp_path: Path
) -> None:
    for at in range(operations()):
        store = begun(kind, tmp_path / str(at))
        assert kill(store, "first", at, death, number=1)
        assert go_on(store, "second") is SessionExit.FINISHED
        assert_untouched(store)


@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
def test_a_session_begun_by_hand_may_be_killed_anywhere(death: Death) -> None:
    at = 0
    while True:
        store = MemoryStore()
        create(store)
        if not kill(store, "first", at, death):
            break
        assert take_over(store, "second") is SessionExit.FINISHED
        assert_untouched(store)
        at += 1
    assert at > operations()  # it asks for its own number, which is more work


@pytest.mark.parametrize("go_on", [resume, take_over], ids=["found gone", "watched"])
@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
def test_a_resumer_may_be_killed_at_any_of_its_operations(death: Death, go_on: GoOn) -> None:
    at = 0
    while True:
        store = begun("memory", Path())
        kill(store, "first", operations() // 2, Death.TORN, number=1)
        mortal = MortalStore(store, at, death)
        try:
            go_on(store, "second", through=mortal)
        except Killed:
            go_on(store, "third")
        assert_untouched(store)
        if not mortal.dead:
            break
        at += 1
    assert at > operations() // 2


@pytest.mark.parametrize("go_on", [resume, take_over], ids=["found gone", "watched"])
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.usefixtures("unsynced")
def test_the_resumer_may_be_killed_too(kind: str, go_on: GoOn, tmp_path: Path) -> None:
    deaths = list(Death)
    for at in range(0, operations(), 5 if kind == "memory" else 13):
        for again in range(at % 3, operations(), 7 if kind == "memory" else 17):
            store = begun(kind, tmp_path / f"{at}-{again}")
            kill(store, "first", at, deaths[(at + again) % 3], number=1)
            try:
                go_on(store, "second", through=MortalStore(store, again, deaths[again % 3]))
            except Killed:
                go_on(store, "third")
            assert_untouched(store)


@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
def test_a_run_whose_every_session_dies_a_little_later_than_the_last_still_ends(death: Death) -> None:
    store = begun("memory", Path())
    for session in range(200):
        if not kill(store, f"holder-{session}", 12 + session, death):
            break
    assert_untouched(store)
    assert kinds(store).count("lease") > 2


@pytest.mark.long
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.usefixtures("unsynced")
def test_every_pair_of_kills(kind: str, tmp_path: Path) -> None:
    for at in range(operations()):
        for again in range(0, operations(), 1 if kind == "memory" else 4):
            for death in Death:
                store = begun(kind, tmp_path / f"{at}-{again}-{death.value}")
                kill(store, "first", at, death, number=1)
                try:
                    resume(store, "second", through=MortalStore(store, again, death))
                except Killed:
                    resume(store, "third")
                assert_untouched(store)
