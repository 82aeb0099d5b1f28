"""What a session prints: every byte once, in its order, in pieces that are never written again."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.errors import UnreachableError
from facegan.output import Output
from facegan.storage.memory import MemoryStore
from tests.fakes.killing import SilentStore, WatchedStore

PREFIX = "runs/r/sessions/3/output/"


def pieces(store: MemoryStore) -> dict[str, bytes]:
    return {key.removeprefix(PREFIX): store.get(key) for key in store.list(PREFIX)}


def test_a_flush_writes_what_came_since_the_last_one() -> None:
    store, output = MemoryStore(), Output()
    output.write(b"one ")
    output.write(b"two")
    output.flush(store, "r", 3)
    output.write(b"three")
    output.flush(store, "r", 3)
    assert pieces(store) == {"000000.txt": b"one two", "000001.txt": b"three"}


def test_nothing_printed_is_nothing_written() -> None:
    store = WatchedStore(MemoryStore())
    Output().flush(store, "r", 3)
    assert store.operations == []


@pytest.mark.parametrize("acts", [False, True], ids=["it was lost", "its answer was lost"])
def test_what_was_not_acknowledged_waits_and_nothing_is_lost_or_doubled(acts: bool) -> None:
    store, output = MemoryStore(), Output()
    silent = SilentStore(store, lambda it: it.number in {0, 1}, acts=acts)
    for text in (b"one ", b"two "):
        output.write(text)
        with pytest.raises(UnreachableError):
            output.flush(silent, "r", 3)
    output.write(b"three")
    output.flush(silent, "r", 3)
    assert pieces(store) == {"000000.txt": b"one two three"}


@given(st.lists(st.one_of(st.binary(max_size=5), st.none()), max_size=20))
def test_the_pieces_together_are_what_was_printed(script: list[bytes | None]) -> None:
    store, output = MemoryStore(), Output()
    for data in [*script, None]:
        if data is None:
            output.flush(store, "r", 3)
        else:
            output.write(data)
    assert b"".join(pieces(store).values()) == b"".join(data for data in script if data)


def test_a_flush_that_begins_during_another_waits_for_it() -> None:
    store, output = MemoryStore(), Output()
    others: list[threading.Thread] = []

    class Slow(WatchedStore):
        def put(self, key: str, data: bytes) -> None:
            if not others:
                output.write(b"two")
                others.append(threading.Thread(target=lambda: output.flush(self, "r", 3)))
                others[0].start()
                others[0].join(0.05)
            super().put(key, data)

    output.write(b"one ")
    output.flush(Slow(store), "r", 3)
    others[0].join()
    assert pieces(store) == {"000000.txt": b"one ", "000001.txt": b"two"}


def test_threads_may_print_while_another_flushes() -> None:
    store, output = MemoryStore(), Output()
    lines = [[f"{name}-{number}\n".encode() for number in range(200)] for name in range(4)]

    def write(mine: list[bytes]) -> None:
        for line in mine:
            output.write(line)

    threads = [threading.Thread(target=write, args=(mine,)) for mine in lines]
    threads += [threading.Thread(target=lambda: [output.flush(store, "r", 3) for _ in range(100)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    output.flush(store, "r", 3)
    printed = b"".join(pieces(store).values()).splitlines(keepends=True)
    assert sorted(printed) == sorted(line for mine in lines for line in mine)
    for number, mine in enumerate(lines):
        assert [line for line in printed if line.startswith(b"%d-" % number)] == mine
