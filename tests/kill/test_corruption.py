"""Any byte flipped, any object truncated or deleted: an older state and a word about it, or a refusal with a name.

Never a beginning at step 0 when there is a history, and never silence.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.errors import DamagedError, FaceganError, SessionExit
from facegan.experiment import override
from facegan.ledger import State
from facegan.ledger.entry import decode, digest, encode
from facegan.stopping import interrupted
from facegan.storage.base import LARGEST, ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    TimedToy,
    Timeline,
    assert_untouched,
    begun,
    committed,
    contents,
    declare_lost,
    judged,
    kinds,
    ledger_of,
    outcome,
    raw_entries,
    resume,
    take_over,
    untouched,
)
from tests.fakes.killing import Death, Killed, MortalStore, Operation, WatchedStore

CAREFUL = override(SHORT, ["session.heartbeat_s=1", "checkpoint.keep=3"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One object, changed: `data` is what stands there now, `None` when nothing does."""

    key: str
    how: str
    data: bytes | None

    def __str__(self) -> str:
        return f"{self.key} {self.how}"

    def do(self, store: MemoryStore) -> None:
        if self.data is None:
            del store.objects[self.key]
        else:
            store.objects[self.key] = self.data


def damages(key: str, data: bytes, *, every: int) -> Iterator[Damage]:
    """The object deleted, emptied, cut short, grown, and with one bit flipped in every so many bytes."""
    yield deleted(key)
    if data:
        yield Damage(key=key, how="emptied", data=b"")
        yield Damage(key=key, how="without its last byte", data=data[:-1])
        yield Damage(key=key, how="cut in half", data=data[: len(data) // 2])
    yield Damage(key=key, how="with a byte too many", data=data + b"\n")
    for at in range(0, len(data), every):
        yield flipped(key, data, at)


def deleted(key: str) -> Damage:
    return Damage(key=key, how="deleted", data=None)


def flipped(key: str, data: bytes, at: int) -> Damage:
    byte = data[at] ^ (1 << at % 8)
    return Damage(key=key, how=f"flipped at {at}", data=data[:at] + bytes([byte]) + data[at + 1 :])


def copied(objects: dict[str, bytes]) -> MemoryStore:
    store = MemoryStore()
    store.objects.update(objects)
    return store


def careful(store: ObjectStore, holder: str, number: int | None = None) -> Session:
    timeline = Timeline()
    session = Session(store=store, holder=holder, number=number, timeline=timeline, repeat=timeline.repeat)
    session.build = lambda experiment: TimedToy(experiment, timeline)
    return session


def die_before(store: ObjectStore, holder: str, where: str, number: int | None = None) -> None:
    """A session that dies before its first operation on a key with this text in it."""

    class DeadlyStore(MortalStore):
        def _count(self, verb: str, key: str) -> Operation:
            if where in key:
                self._at = len(self.operations)
            return super()._count(verb, key)

    with pytest.raises(Killed):
        careful(DeadlyStore(store, 1_000_000, Death.BEFORE), holder, number).run()


@functools.cache
def broken_off() -> dict[str, bytes]:
    """A run with checkpoints at 5, 10 and 15 whose session died at step 20, before it could commit."""
    store = begun("memory", Path(), CAREFUL)
    die_before(store, "first", "checkpoints/20-1/", 1)
    assert [entry["step"] for entry in committed(store)] == [5, 10, 15]
    return contents(store)


@functools.cache
def finished() -> dict[str, bytes]:
    """The same run, ended by a second session."""
    store = copied(broken_off())
    declare_lost(store)
    assert careful(store, "second").run() is SessionExit.FINISHED
    return contents(store)


def entry(seq: int) -> str:
    return f"runs/{RUN}/ledger/{seq:08d}.json"


def key_of(step: int, name: str, session: int = 1) -> str:
    return f"runs/{RUN}/checkpoints/{step}-{session}/{name}"


def is_vouched_for(key: str) -> bool:
    """Whether the ledger holds the object's digest, or it is the ledger."""
    return "/sessions/" not in key


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


def states(store: ObjectStore) -> list[str]:
    return [key for key in store.list(f"runs/{RUN}/checkpoints/") if key.endswith("state.safetensors")]


def was_pruned(store: MemoryStore, key: str) -> bool:
    """Whether the object is a state that was let go of, so that nobody misses it."""
    whole = {}
    for name in store.list(f"runs/{RUN}/ledger/"):
        with contextlib.suppress(DamagedError):
            read = decode(store.get(name), name)
            whole[read.seq] = read
    seqs = [seq for it in whole.values() if it.kind == "pruned" for seq in it.body["checkpoints"] if seq in whole]
    return key in {f"{whole[seq].body['key']}state.safetensors" for seq in seqs}


def newest_state(store: MemoryStore) -> bytes:
    return store.get(max((key for key in states(store)), key=lambda key: int(key.split("/")[3].split("-")[0])))


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


# `verify`


@pytest.mark.parametrize("key", [key for key in sorted(finished()) if is_vouched_for(key)])
def test_verify_names_every_damage_to_a_finished_run(key: str) -> None:
    assert judged(copied(finished())).wrong == []
    last = max(key for key in finished() if "/ledger/" in key)
    for damage in damages(key, finished()[key], every=41):
        store = copied(finished())
        damage.do(store)
        named = {finding.object for finding in judged(store).wrong}
        if key == last and damage.data is None:
            continue  # see the next test
        assert key in named, str(damage)


def test_a_report_deleted_from_the_end_is_what_nobody_can_miss_and_nothing_is_lost_with_it() -> None:
    store = copied(finished())
    last = max(key for key in finished() if "/ledger/" in key)
    deleted(last).do(store)
    assert ledger_of(store).refresh().state is State.FINISHED
    assert_untouched(store)


def test_verify_names_entries_deleted_from_the_end_that_a_session_had_seen() -> None:
    store = copied(finished())
    entries = sorted(key for key in finished() if "/ledger/" in key)[-2:]
    for key in entries:
        deleted(key).do(store)
    assert entries[0] in {finding.object for finding in judged(store).wrong}


def test_verify_names_an_entry_that_was_replaced_by_a_whole_one() -> None:
    store = copied(finished())
    other = begun("memory", Path(), override(CAREFUL, ["seed=1"]))
    die_before(other, "first", "checkpoints/20-1/", 1)
    for seq in range(7):
        swapped = copied(store.objects)
        swapped.put(entry(seq), other.get(entry(seq)))
        assert {finding.object for finding in judged(swapped).wrong} & {entry(seq), entry(seq + 1)}


def test_verify_beside_a_session_that_prunes_finds_nothing_wrong() -> None:
    store = begun("memory", Path(), CAREFUL)
    die_before(store, "first", "checkpoints/20-1/", 1)

    class Meanwhile(WatchedStore):
        """A session ends the run after the ledger was read and before the first state is."""

        def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
            if key.endswith("state.safetensors") and not ledger_of(store).refresh().finished:
                declare_lost(store)
                assert Session(store=store, holder="second").run() is SessionExit.FINISHED
                assert "pruned" in kinds(store)
            return super().get(key, at_most=at_most)

    assert judged(Meanwhile(store)).wrong == []


def test_verify_names_what_is_wrong_with_the_steps_of_a_run_whose_every_object_is_whole() -> None:
    for change, said in ((forget_a_step, "missing: 7"), (repeat_a_step, "committed twice: 7"), (invent_a_step, "21")):
        store = copied(finished())
        change(store)
        assert any(f"metrics {said}" in it.how or said in it.how for it in judged(store).wrong), said


def rewrite_metrics(store: MemoryStore, lines: list[bytes]) -> None:
    """Other metrics of the second checkpoint, and an entry that vouches for them."""
    seq = committed(store)[1]["seq"]
    read = ledger_of(store).entry(seq)
    data = b"".join(lines)
    objects = {**read.body["objects"], "metrics.jsonl": {"size": len(data), "sha256": digest(data)}}
    store.put(read.body["key"] + "metrics.jsonl", data)
    store.put(entry(seq), encode(dataclasses.replace(read, body={**read.body, "objects": objects})))


def metrics_of(store: MemoryStore) -> list[bytes]:
    return store.get(key_of(10, "metrics.jsonl")).splitlines(keepends=True)


def forget_a_step(store: MemoryStore) -> None:
    rewrite_metrics(store, [line for line in metrics_of(store) if b'"step": 7,' not in line])


def repeat_a_step(store: MemoryStore) -> None:
    rewrite_metrics(store, [*metrics_of(store), metrics_of(store)[1]])


def invent_a_step(store: MemoryStore) -> None:
    rewrite_metrics(store, [*metrics_of(store), b'{"step": 21, "at": 0}\n'])


def test_verify_names_an_entry_whose_fold_is_not_what_the_entries_make() -> None:
    store = copied(finished())
    seq = committed(store)[1]["seq"]
    read = ledger_of(store).entry(seq)
    store.put(entry(seq), encode(dataclasses.replace(read, fold={**read.fold, "reached": 9})))
    assert (entry(seq), "records another state of the run than its entries make") in {
        (finding.object, finding.how) for finding in judged(store).wrong
    }


def test_verify_names_an_entry_that_may_not_stand_where_it_stands() -> None:
    store = copied(finished())
    seq = committed(store)[1]["seq"]
    read = ledger_of(store).entry(seq)
    store.put(entry(seq), encode(dataclasses.replace(read, by="somebody else")))
    assert any(it.object == entry(seq) and it.how.startswith("may not stand here") for it in judged(store).wrong)


def test_verify_reads_what_it_says_it_read() -> None:
    store = copied(finished())
    watched = WatchedStore(store)
    verdict = judged(watched)
    assert verdict.entries == len(kinds(store))
    assert verdict.steps == 20
    assert verdict.objects == len({it.key for it in watched.operations if "/checkpoints/" in it.key})
    assert take_over(store, "late") is SessionExit.FINISHED
