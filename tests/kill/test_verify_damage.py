"""`verify` names every damage to a run, and finds none in a run that is whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.experiment import override
from facegan.ledger import State
from facegan.ledger.entry import digest, encode
from facegan.storage.base import LARGEST
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    Session,
    assert_untouched,
    begun,
    committed,
    declare_lost,
    judged,
    kinds,
    ledger_of,
    take_over,
)
from tests.fakes.killing import WatchedStore
from tests.kill.damage import (
    CAREFUL,
    copied,
    damages,
    deleted,
    die_before,
    entry,
    finished,
    is_vouched_for,
    key_of,
)


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
