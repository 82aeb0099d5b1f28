"""The heartbeat: read as it was written, or not at all."""

from __future__ import annotations

import json

import pytest

from facegan import session as wire
from facegan.errors import UnreachableError
from facegan.session import Heartbeat
from facegan.storage.memory import MemoryStore
from tests.fakes.killing import SilentStore

KEY = "runs/r/sessions/2/heartbeat.json"
BEAT = Heartbeat(
    counter=7,
    seq=12,
    digest="ab" * 32,
    phase="training",
    step=100,
    rate=3.25,
    losses={"loss": 0.1, "other": -1e-9},
    device="toy",
    at="2024-01-01T00:00:00.000+00:00",
)


def test_what_was_written_is_read() -> None:
    store = MemoryStore()
    wire.write(store, "r", 2, BEAT)
    assert wire.read(store, "r", 2) == BEAT
    assert list(store.objects) == [KEY]


def test_before_the_first_there_is_none() -> None:
    assert wire.read(MemoryStore(), "r", 2) is None


def test_every_damage_makes_it_unreadable_and_none_makes_it_another() -> None:
    store = MemoryStore()
    wire.write(store, "r", 2, BEAT)
    data = store.get(KEY)
    for at in range(len(data)):
        for bit in range(8):
            store.put(KEY, data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
            assert wire.read(store, "r", 2) in (None, BEAT)
        store.put(KEY, data[:at])
        assert wire.read(store, "r", 2) is None


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"7", b'"x"', b"{}", b'{"counter":1}', b"\xff"])
def test_what_is_no_heartbeat_is_none(data: bytes) -> None:
    store = MemoryStore()
    store.put(KEY, data)
    assert wire.read(store, "r", 2) is None


def test_what_a_newer_version_added_is_left_out() -> None:
    store = MemoryStore()
    wire.write(store, "r", 2, BEAT)
    fields = json.loads(store.get(KEY))
    del fields["check"]
    fields["unheard"] = 1
    store.put(KEY, json.dumps({**fields, "check": wire._check(fields)}).encode())
    assert wire.read(store, "r", 2) == BEAT


def test_a_storage_that_does_not_answer_is_not_the_absence_of_a_heartbeat() -> None:
    with pytest.raises(UnreachableError):
        wire.read(SilentStore(MemoryStore(), lambda _it: True), "r", 2)
