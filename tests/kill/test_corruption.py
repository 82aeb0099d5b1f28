"""Any byte flipped, any object truncated or deleted: an older state and a word about it, or a refusal with a name.

Never a beginning at step 0 when there is a history, and never silence.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from facegan.errors import DamagedError, FaceganError, SessionExit
from facegan.ledger import State
from facegan.ledger.entry import decode
from facegan.stopping import interrupted
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    RUN,
    Session,
    TimedToy,
    assert_untouched,
    begun,
    contents,
    declare_lost,
    judged,
    kinds,
    ledger_of,
    outcome,
    raw_entries,
    resume,
    untouched,
)
from tests.fakes.killing import Death, Killed, MortalStore
from tests.kill.damage import (
    CAREFUL,
    Damage,
    broken_off,
    careful,
    copied,
    damages,
    deleted,
    die_before,
    entry,
    finished,
    flipped,
    is_vouched_for,
    key_of,
    newest_state,
    states,
    was_pruned,
)


def go_on(store: MemoryStore, *, by_hand: bool) -> tuple[SessionExit, str]:
    """Resume, or start a session by hand; how it ended, and all that was said."""
    try:
        if not by_hand:
            declare_lost(store)
    except FaceganError as error:
        return SessionExit.FAILED, error.message
    session = Session(store=store, holder="second")
    return session.run(), "\n".join(session.said)


def assert_honest(store: MemoryStore, damage: Damage, *, by_hand: bool) -> None:
    """The one assertion of this module: see its first lines."""
    before = states(store)
    code, said = go_on(store, by_hand=by_hand)
    if code is not SessionExit.FINISHED:
        assert code is SessionExit.FAILED
        assert damage.key in said, f"{damage} was not named: {said}"
        assert states(store) == before
        return
    verdict = judged(store)
    assert ledger_of(store).refresh().state is State.FINISHED
    known = [finding.object for finding in verdict.known]
    wrong = [finding.object for finding in verdict.wrong if finding.object != "metrics.jsonl"]
    assert known + wrong == ([damage.key] if is_vouched_for(damage.key) and not was_pruned(store, damage.key) else [])
    if wrong:  # no session had to read it, so it is `verify` that names it
        assert newest_state(store) == untouched().state
        return
    restored = [item["object"] for it in raw_entries(store) for item in it.get("damaged", ())]
    assert restored == known
    assert all(key in said for key in known)
    assert verdict.wrong == []
    assert outcome(store, without=known) == untouched()


def every(key: str) -> int:
    """Every byte of the newest entry, a sample of the others (all entries, byte by byte: test_entry.py)."""
    newest = max(key for key in broken_off() if "/ledger/" in key)
    if "/ledger/" in key:
        return 1 if key == newest else 149
    return 23


@pytest.mark.parametrize("by_hand", [False, True], ids=["resumed", "by hand"])
@pytest.mark.parametrize("key", sorted(broken_off()), ids=lambda key: key.removeprefix(f"runs/{RUN}/"))
def test_a_damaged_object_is_survived_or_named(key: str, by_hand: bool) -> None:
    for damage in damages(key, broken_off()[key], every=every(key)):
        store = copied(broken_off())
        damage.do(store)
        assert_honest(store, damage, by_hand=by_hand)


@pytest.mark.long
@pytest.mark.parametrize("key", sorted(broken_off()), ids=lambda key: key.removeprefix(f"runs/{RUN}/"))
def test_every_damaged_byte_is_survived_or_named(key: str) -> None:
    for damage in damages(key, broken_off()[key], every=1):
        store = copied(broken_off())
        damage.do(store)
        assert_honest(store, damage, by_hand=True)


def test_every_byte_of_every_entry_is_vouched_for() -> None:
    for key in (key for key in finished() if "/ledger/" in key):
        for damage in damages(key, finished()[key], every=1):
            with pytest.raises(DamagedError, match=key):
                decode(damage.data or b"", key)


@pytest.mark.parametrize("name", ["state.safetensors", "metrics.jsonl"])
@pytest.mark.parametrize("how", ["deleted", "flipped"])
def test_the_newest_checkpoint_damaged_means_the_one_before_and_a_word_about_it(name: str, how: str) -> None:
    key = key_of(15, name)
    store = copied(broken_off())
    (deleted(key) if how == "deleted" else flipped(key, store.objects[key], 3)).do(store)
    assert resume(store, "second") is SessionExit.FINISHED
    restored = [it for it in raw_entries(store) if it["kind"] == "restored"][-1]
    assert restored["step"] == 10
    assert [item["object"] for item in restored["damaged"]] == [key]
    assert_untouched(store, known=[key])


def test_steps_trained_again_keep_the_metrics_first_committed() -> None:
    store = copied(broken_off())
    deleted(key_of(15, "state.safetensors")).do(store)
    first = store.get(key_of(15, "metrics.jsonl"))
    resume(store, "second")
    assert store.get(key_of(15, "metrics.jsonl")) == first
    assert store.get(key_of(15, "metrics.jsonl", session=2)) == b""


def test_metrics_that_were_lost_are_trained_again() -> None:
    store = copied(broken_off())
    deleted(key_of(15, "metrics.jsonl")).do(store)
    resume(store, "second")
    assert store.get(key_of(15, "metrics.jsonl", session=2)).count(b"\n") == 5


@pytest.mark.parametrize("broken", [[15], [15, 10]])
def test_as_many_checkpoints_are_passed_over_as_are_damaged(broken: Sequence[int]) -> None:
    store = copied(broken_off())
    keys = [key_of(step, "state.safetensors") for step in broken]
    for key in keys:
        deleted(key).do(store)
    assert resume(store, "second") is SessionExit.FINISHED
    assert_untouched(store, known=keys)


@pytest.mark.parametrize("name", ["state.safetensors", "metrics.jsonl"])
def test_when_every_checkpoint_is_damaged_the_session_refuses_and_never_begins_at_step_0(name: str) -> None:
    store = copied(broken_off())
    for step in (5, 10, 15):
        deleted(key_of(step, name)).do(store)
    for holder in ("second", "third"):
        session = Session(store=store, holder=holder)
        assert session.run() is SessionExit.FAILED
        assert key_of(15, name) in "\n".join(session.said)
        assert "never starts again from step 0" in "\n".join(session.said)
    assert kinds(store).count("checkpoint") == 3
    assert "restored" not in kinds(store)[6:]


def test_damage_that_is_healed_from_a_copy_lets_the_run_go_on() -> None:
    store = copied(broken_off())
    for step in (5, 10, 15):
        deleted(key_of(step, "state.safetensors")).do(store)
    assert Session(store=store, holder="second").run() is SessionExit.FAILED
    store.objects.update({key: data for key, data in broken_off().items() if "/checkpoints/" in key})
    assert Session(store=store, holder="third").run() is SessionExit.FINISHED
    assert_untouched(store)


@pytest.mark.parametrize("seq", range(7))
def test_a_deleted_entry_is_missed_and_named(seq: int) -> None:
    store = copied(broken_off())
    deleted(entry(seq)).do(store)
    before = contents(store)
    session = Session(store=store, holder="second")
    assert session.run() is SessionExit.FAILED
    assert entry(seq) in "\n".join(session.said)
    assert contents(store) == before


@pytest.mark.parametrize("count", [1, 2, 3])
def test_entries_deleted_from_the_end_are_missed_because_a_heartbeat_remembers_them(count: int) -> None:
    store = copied(broken_off())
    for seq in range(7 - count, 7):
        deleted(entry(seq)).do(store)
    before = contents(store)
    session = Session(store=store, holder="second")
    assert session.run() is SessionExit.FAILED
    assert entry(6) in "\n".join(session.said)
    assert contents(store) == before


def test_another_entry_in_the_place_of_a_deleted_one_is_noticed() -> None:
    store = copied(broken_off())
    deleted(entry(6)).do(store)
    declare_lost(store)  # an entry 6 again, and a whole one
    session = Session(store=store, holder="second")
    assert session.run() is SessionExit.FAILED
    assert entry(6) in "\n".join(session.said)


def test_a_damaged_heartbeat_keeps_nobody_out() -> None:
    key = f"runs/{RUN}/sessions/1/heartbeat.json"
    for damage in damages(key, broken_off()[key], every=1):
        store = copied(broken_off())
        damage.do(store)
        assert Session(store=store, holder="second").run() is SessionExit.FINISHED, str(damage)
        assert_untouched(store)


# Damage to what was trained again because of damage


def assert_ends_well(store: MemoryStore, *, known: Sequence[str]) -> None:
    declare_lost(store)
    assert Session(store=store, holder="last").run() is SessionExit.FINISHED
    assert_untouched(store, known=known)


def test_metrics_are_committed_once_although_the_checkpoint_that_repeated_them_is_damaged_too() -> None:
    store = copied(broken_off())
    first, second = key_of(15, "state.safetensors"), key_of(15, "metrics.jsonl", session=2)
    deleted(first).do(store)
    die_before(store, "second", "checkpoints/20-2/")
    deleted(second).do(store)  # it held no metrics: those of 11 to 15 are history in the first one
    assert_ends_well(store, known=[first, second])


def test_of_a_checkpoint_that_held_some_of_its_steps_metrics_only_those_are_lost() -> None:
    store = copied(stopped_at_7())
    first, second = key_of(7, "state.safetensors"), key_of(10, "metrics.jsonl", session=2)
    deleted(first).do(store)
    die_before(store, "second", "checkpoints/15-2/")
    assert store.get(second).count(b"\n") == 3  # 8 to 10: those of 6 and 7 are history in the first one
    deleted(second).do(store)
    die_before(store, "third", "checkpoints/10-3/")
    assert ledger_of(store).refresh().gaps == ((8, 10),)
    assert_ends_well(store, known=[first, second])


@functools.cache
def stopped_at_7() -> dict[str, bytes]:
    """A run with checkpoints at 5 and at 7, where its session was interrupted."""
    store = begun("memory", Path(), CAREFUL)
    session = careful(store, "first", 1)

    class Interrupted(TimedToy):
        def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
            done = super().advance(steps)
            if self.step == 7:
                session.stop.give(interrupted("for a test"))
            return done

    session.build = lambda experiment: Interrupted(experiment, session.timeline)
    assert session.run() is SessionExit.INTERRUPTED
    return contents(store)


def test_a_gap_may_be_closed_in_pieces_by_sessions_that_die_on_the_way() -> None:
    store = copied(broken_off())
    keys = [key_of(15, "metrics.jsonl"), key_of(10, "metrics.jsonl")]
    for key in keys:
        deleted(key).do(store)
    die_before(store, "second", "checkpoints/15-2/")  # closes 6 to 10
    assert ledger_of(store).refresh().gaps == ((11, 15),)
    assert_ends_well(store, known=keys)


def test_the_metrics_of_a_gap_may_be_damaged_again() -> None:
    store = copied(broken_off())
    first, second = key_of(15, "metrics.jsonl"), key_of(15, "metrics.jsonl", session=2)
    deleted(first).do(store)
    die_before(store, "second", "checkpoints/20-2/")
    deleted(second).do(store)
    assert_ends_well(store, known=[first, second])


@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
def test_a_session_that_found_damage_may_be_killed_anywhere(death: Death) -> None:
    at = 0
    while True:
        store = copied(broken_off())
        key = key_of(15, "metrics.jsonl")
        deleted(key).do(store)
        mortal = MortalStore(store, at, death)
        try:
            Session(store=mortal, holder="second").run()
        except Killed:
            Session(store=store, holder="third").run()
        assert_untouched(store, known=[key])
        if not mortal.dead:
            break
        at += 1
