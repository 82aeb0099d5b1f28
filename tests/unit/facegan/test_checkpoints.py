"""Checkpoints: what counts as damage, what is only silence, and what may be let go of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan import checkpoints
from facegan.checkpoints import ObjectDamagedError, Point, Sample, decode_metrics, encode_metrics, read
from facegan.errors import DamagedError, NotHolderError, UnreachableError
from facegan.ledger import Entry, Ledger
from facegan.storage.base import LARGEST, NotFoundError
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import append, begun, contents, ledger_of
from tests.fakes.killing import WatchedStore

VALUES = st.dictionaries(
    st.text(max_size=5).filter(lambda name: name not in {"step", "at"}),
    st.floats(allow_nan=False, allow_infinity=False),
    max_size=3,
)
POINTS = st.lists(st.builds(Point, step=st.integers(1), at=st.integers(0), values=VALUES), max_size=4)


def leased() -> tuple[MemoryStore, Ledger]:
    store = begun("memory", Path())
    assert isinstance(store, MemoryStore)
    ledger = ledger_of(store, "h")
    append(ledger, "lease", session=1, machine={})
    append(ledger, "restored", session=1, checkpoint=None, step=0, damaged=[], determinism={}, join="exact")
    return store, ledger


def commit(ledger: Ledger, step: int, *, points: Sequence[Point] = (), samples: Sequence[Sample] = ()) -> None:
    checkpoints.commit(
        ledger, session=1, step=step, state=b"state %d" % step, points=points, samples=samples, clock=lambda: 0.0
    )


def with_checkpoints(*steps: int) -> tuple[MemoryStore, Ledger, list[Entry]]:
    store, ledger = leased()
    for step in steps:
        commit(ledger, step)
    return store, ledger, [entry for entry in ledger.entries() if entry.kind == "checkpoint"]


@given(POINTS)
def test_metrics_survive_the_way_into_the_store_and_back(points: list[Point]) -> None:
    assert decode_metrics(encode_metrics(points)) == points


def test_metrics_are_a_json_object_with_a_step_a_line() -> None:
    data = encode_metrics([Point(step=1, at=2, values={"loss": 0.5}), Point(step=2, at=3, values={})])
    assert data == b'{"step": 1, "at": 2, "loss": 0.5}\n{"step": 2, "at": 3}\n'


def test_objects_are_uploaded_before_the_entry_that_names_them() -> None:
    store, _ = leased()
    watched = WatchedStore(store)
    commit(ledger_of(watched, "h"), 5, samples=[Sample(step=5, name="grid", png=b"png")])
    asked = [(it.verb, it.key.rpartition("/")[2]) for it in watched.operations if it.verb != "list"]
    assert asked == [
        ("get", "00000003.json"),
        ("put", "state.safetensors"),
        ("put", "metrics.jsonl"),
        ("put", "00000005-grid.png"),
        ("put_new", "00000004.json"),
    ]


def test_who_does_not_hold_the_lease_uploads_nothing() -> None:
    store, _ = leased()
    before = contents(store)
    for holder in ("other", "user"):
        with pytest.raises(NotHolderError):
            commit(ledger_of(store, holder), 5)
    assert contents(store) == before


def test_before_it_says_what_it_continues_from_a_session_uploads_nothing() -> None:
    store = begun("memory", Path())
    append(ledger_of(store, "h"), "lease", session=1, machine={})
    before = contents(store)
    with pytest.raises(NotHolderError):
        commit(ledger_of(store, "h"), 5)
    assert contents(store) == before


def test_a_step_is_committed_once() -> None:
    store, ledger = leased()
    commit(ledger, 5, points=[Point(step=5, at=0, values={})])
    before = contents(store)
    commit(ledger, 5, points=[])
    commit(ledger_of(store, "h"), 5, points=[])
    assert contents(store) == before


# Damage


class Once(WatchedStore):
    """A store whose first answer for a state is not what is there."""

    def __init__(self, store: MemoryStore, answer: bytes | None) -> None:
        super().__init__(store)
        self.answer = answer

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        data = super().get(key, at_most=at_most)
        if not key.endswith("state.safetensors") or sum(it.key == key for it in self.operations) > 1:
            return data
        if self.answer is None:
            raise NotFoundError(key)
        return self.answer


@pytest.mark.parametrize("answer", [None, b"", b"stbte 5", b"state"])
def test_one_bad_download_is_no_damage(answer: bytes | None) -> None:
    store, _, [entry] = with_checkpoints(5)
    assert read(Once(store, answer), entry, "state.safetensors") == b"state 5"


@pytest.mark.parametrize(
    ("data", "how"),
    [
        (None, "is missing"),
        (b"stbte 5", "has another SHA-256"),
        (b"state", "has 5 bytes, not 7"),
        (b"", "has 0 bytes, not 7"),
    ],
)
def test_two_are_and_the_object_is_named(data: bytes | None, how: str) -> None:
    store, _, [entry] = with_checkpoints(5)
    key = entry.body["key"] + "state.safetensors"
    del store.objects[key]
    if data is not None:
        store.put(key, data)
    watched = WatchedStore(store)
    with pytest.raises(ObjectDamagedError) as damaged:
        read(watched, entry, "state.safetensors")
    assert damaged.value.message == f"{key} {how}"
    assert sum(it.key == key for it in watched.operations) == 2


def test_an_object_missing_from_a_storage_that_has_lost_the_ledger_too_is_no_damage() -> None:
    _, _, [entry] = with_checkpoints(5)
    with pytest.raises(UnreachableError, match=r"00000004\.json"):
        read(MemoryStore(), entry, "state.safetensors")


def test_silence_is_no_damage_and_nothing_is_concluded() -> None:
    store, _, _ = with_checkpoints(5, 10)

    class Silent(WatchedStore):
        def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
            if "/checkpoints/10" in key:
                raise UnreachableError("no answer")
            return super().get(key, at_most=at_most)

    with pytest.raises(UnreachableError):
        checkpoints.restore(ledger_of(Silent(store)))


def test_the_newest_whole_one_is_restored_and_every_damage_on_the_way_is_told() -> None:
    store, ledger, entries = with_checkpoints(5, 10, 15)
    for entry, name in ((entries[2], "state.safetensors"), (entries[1], "metrics.jsonl")):
        del store.objects[entry.body["key"] + name]
    found = checkpoints.restore(ledger)
    assert (found.step, found.state) == (5, b"state 5")
    assert [damage.seq for damage in found.damaged] == [entries[2].seq, entries[1].seq]


def test_an_untouched_run_begins_at_step_0_and_one_with_a_history_never_does() -> None:
    _, ledger = leased()
    assert checkpoints.restore(ledger).state is None
    store, ledger, entries = with_checkpoints(5, 10)
    for entry in entries:
        del store.objects[entry.body["key"] + "state.safetensors"]
    with pytest.raises(DamagedError, match=r"no checkpoint of run .* is whole") as refused:
        checkpoints.restore(ledger)
    assert entries[1].body["key"] in refused.value.message
