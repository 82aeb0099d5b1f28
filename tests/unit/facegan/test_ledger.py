"""Appending: one order of all writers, whatever is answered, and a chain that anybody can check."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable

import pytest

from facegan.errors import BadInputError, DamagedError, SessionExit, UnreachableError
from facegan.experiment import to_json
from facegan.ledger import Fold, IllegalEntryError, Ledger, NoRunError, Wish, Writer
from facegan.ledger.entry import GENESIS, Entry, digest, encode
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import RUN, SHORT, append, ask, create, kinds, ledger_of, raw_entries
from tests.fakes.killing import Operation, SilentStore, WatchedStore


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    create(store)
    return store


def key(seq: int) -> str:
    return f"runs/{RUN}/ledger/{seq:08d}.json"


def stop(_fold: Fold) -> Wish:
    return Wish(kind="stop", body={})


def test_a_run_that_was_not_created_is_not_there() -> None:
    ledger = ledger_of(MemoryStore())
    for ask_for in (ledger.refresh, lambda: ledger.fold, ledger.created, lambda: list(ledger.entries())):
        with pytest.raises(NoRunError, match=f'no run "{RUN}"') as refused:
            ask_for()
        assert refused.value.exit_code is SessionExit.BAD_INPUT


@pytest.mark.parametrize("run", ["", "..", "a/b", "A", "-a", "a" * 64])
def test_a_run_is_called_by_an_id(run: str) -> None:
    with pytest.raises(BadInputError):
        Ledger(MemoryStore(), run, Writer(holder="h", wall_s=lambda: 0.0, new_id=lambda: "n"))


def test_a_run_is_created_once(store: MemoryStore) -> None:
    other = ledger_of(store, "other")
    assert other.create({"run": RUN, "experiment": to_json(SHORT)}) is False
    assert kinds(store) == ["created"]
    assert ledger_of(store).created() == SHORT


@pytest.mark.parametrize("acts", [False, True])
def test_a_create_whose_answer_was_lost_can_be_asked_again(acts: bool) -> None:
    inner = MemoryStore()
    silent = SilentStore(inner, lambda it: it.number == 0, acts=acts)
    ledger = Ledger(silent, RUN, Writer(holder="h", wall_s=lambda: 1.0, new_id=lambda: "n"))
    body = {"run": RUN, "experiment": to_json(SHORT)}
    with pytest.raises(UnreachableError):
        ledger.create(body)
    assert ledger.create(body) is True
    assert kinds(inner) == ["created"]


def test_entries_form_a_chain_of_hashes(store: MemoryStore) -> None:
    for _ in range(3):
        ask(store)
    previous = GENESIS
    for seq, entry in enumerate(raw_entries(store)):
        assert (entry["seq"], entry["prev"]) == (seq, previous)
        previous = hashlib.sha256(store.get(key(seq))).hexdigest()
    ledger = ledger_of(store)
    ledger.refresh()
    assert ledger.head == (3, previous)
    assert ledger.digest_of(3) == previous


def test_every_entry_carries_the_fold_so_that_the_last_one_is_all_there_is_to_read(store: MemoryStore) -> None:
    for _ in range(5):
        ask(store)
    watched = WatchedStore(store)
    ledger_of(watched).refresh()
    assert [(it.verb, it.key) for it in watched.operations] == [("list", f"runs/{RUN}/ledger/"), ("get", key(5))]


def test_reading_on_asks_only_for_what_is_new(store: MemoryStore) -> None:
    watched = WatchedStore(store)
    ledger = ledger_of(watched)
    ledger.refresh()
    watched.operations.clear()
    ledger.refresh()
    assert [it.verb for it in watched.operations] == ["list"]
    ask(store)
    assert ledger.refresh().newest == 1


def test_a_decision_that_wants_nothing_appends_nothing(store: MemoryStore) -> None:
    assert ledger_of(store).append(lambda _fold: None).newest == 0
    assert kinds(store) == ["created"]


def test_an_illegal_wish_is_refused_before_anything_is_written(store: MemoryStore) -> None:
    with pytest.raises(IllegalEntryError):
        append(ledger_of(store), "lease", session=1)
    assert kinds(store) == ["created"]


def test_who_comes_second_decides_again_on_what_the_first_one_did(store: MemoryStore) -> None:
    seen: list[int] = []
    late = ledger_of(store, "late")

    def decide(fold: Fold) -> Wish:
        seen.append(fold.newest)
        if len(seen) == 1:
            ask(store)  # somebody is faster
        return Wish(kind="intent", body={"session": fold.newest + 1, "backend": "local"})

    assert late.append(decide).newest == 2
    assert seen == [0, 1]
    assert [entry["by"] for entry in raw_entries(store)] == ["user", "user", "late"]


def test_who_comes_second_may_find_that_nothing_is_to_be_done_any_more(store: MemoryStore) -> None:
    def decide(fold: Fold) -> Wish | None:
        if fold.stop:
            return None
        append(ledger_of(store), "stop")
        return Wish(kind="stop", body={})

    ledger_of(store, "late").append(decide)
    assert kinds(store) == ["created", "stop"]


@pytest.mark.parametrize("acts", [False, True], ids=["it was lost", "its answer was lost"])
def test_an_append_that_was_not_answered_can_be_asked_again_and_is_history_once(
    store: MemoryStore,
    acts: bool,
) -> None:
    silent = SilentStore(store, lambda it: it.verb == "put_new" and it.number < 3, acts=acts)
    ledger = ledger_of(silent)

    def decide(fold: Fold) -> Wish | None:
        return None if fold.stop else Wish(kind="stop", body={})

    with pytest.raises(UnreachableError):
        ledger.append(decide)
    assert ledger.append(decide).stop
    assert kinds(store) == ["created", "stop"]


def test_one_s_own_bytes_in_the_place_mean_that_an_attempt_had_succeeded(store: MemoryStore) -> None:
    """What a store that asks again does: the first attempt arrives, the second finds it there."""

    class Twice(WatchedStore):
        def put_new(self, key: str, data: bytes) -> bool:
            super().put_new(key, data)
            return super().put_new(key, data)

    assert ledger_of(Twice(store)).append(stop).stop
    assert kinds(store) == ["created", "stop"]


def test_a_put_that_lands_late_is_as_good_as_one_in_time_or_lands_nowhere(store: MemoryStore) -> None:
    late: list[Callable[[], bool]] = []

    class Slow(WatchedStore):
        def put_new(self, key: str, data: bytes) -> bool:
            late.append(lambda: self.store.put_new(key, data))
            raise UnreachableError("no answer yet")

    with pytest.raises(UnreachableError):
        ledger_of(Slow(store), "slow").append(stop)
    ask(store)
    assert late[0]() is False
    assert kinds(store) == ["created", "intent"]


def test_every_entry_has_a_fresh_nonce_and_the_holder_s_name(store: MemoryStore) -> None:
    ids = itertools.count()
    ledger = Ledger(store, RUN, Writer(holder="me", wall_s=lambda: 0.0, new_id=lambda: f"n{next(ids)}"))
    for _ in range(3):
        ledger.append(stop)
    assert [(entry["by"], entry["nonce"]) for entry in raw_entries(store)[1:]] == [("me", f"n{i}") for i in range(3)]
    assert raw_entries(store)[-1]["at"] == "1970-01-01T00:00:00.000+00:00"


def test_threads_that_append_through_one_ledger_all_get_their_turn(store: MemoryStore) -> None:
    shared = ledger_of(store)
    assert_all_append(store, lambda _name: shared)


def test_writers_that_append_at_once_all_stand_in_one_order(store: MemoryStore) -> None:
    assert_all_append(store, lambda name: ledger_of(store, name))


def assert_all_append(store: MemoryStore, ledger: Callable[[str], Ledger]) -> None:
    def run(name: str) -> None:
        mine = ledger(name)
        for _ in range(10):
            mine.append(lambda fold: Wish(kind="intent", body={"session": fold.newest + 1, "backend": name}))

    threads = [threading.Thread(target=run, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = raw_entries(store)[1:]
    assert [entry["session"] for entry in entries] == list(range(1, 61))
    assert {entry["backend"] for entry in entries} == {str(number) for number in range(6)}


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_missing_entry_is_named(store: MemoryStore, gone: int) -> None:
    for _ in range(3):
        ask(store)
    del store.objects[key(gone)]
    with pytest.raises(DamagedError, match=key(gone)):
        ledger_of(store).refresh()


def test_a_damaged_newest_entry_is_named_and_nothing_is_appended_after_it(store: MemoryStore) -> None:
    ask(store)
    store.objects[key(1)] = store.objects[key(1)].replace(b"local", b"loca1")
    with pytest.raises(DamagedError, match=key(1)):
        append(ledger_of(store), "stop")
    assert len(store.objects) == 2


def test_other_objects_beside_the_entries_are_passed_over(store: MemoryStore) -> None:
    store.put(f"runs/{RUN}/ledger/README.txt", b"")
    store.put(f"runs/{RUN}/ledger/00000001.json.part", b"")
    assert ledger_of(store).refresh().newest == 0


def newer(store: MemoryStore) -> None:
    """An entry as a later version of this program might append it."""
    before = json.loads(store.get(key(0)))
    entry = Entry(
        schema=2,
        seq=1,
        prev=digest(store.get(key(0))),
        at="",
        by="newer",
        nonce="n",
        kind="forked",
        body={"unheard": 1},
        fold={**before["fold"], "unheard": [1]},
    )
    store.put(key(1), encode(entry))


def test_a_newer_schema_is_read_and_never_appended_to(store: MemoryStore) -> None:
    newer(store)
    ledger = ledger_of(store)
    assert ledger.refresh().steps == 20
    assert ledger.entry(1).kind == "forked"
    with pytest.raises(BadInputError, match="newer version") as refused:
        append(ledger, "stop")
    assert "pip install --upgrade" in str(refused.value.hint)
    assert len(store.objects) == 2


def test_an_unreachable_storage_is_no_missing_entry(store: MemoryStore) -> None:
    ask(store)
    for down in range(2):

        def is_down(it: Operation, down: int = down) -> bool:
            return it.number == down

        with pytest.raises(UnreachableError):
            ledger_of(SilentStore(store, is_down)).refresh()
