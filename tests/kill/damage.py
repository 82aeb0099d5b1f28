"""Runs that are damaged, one object and one byte after the other."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from facegan.errors import DamagedError, SessionExit
from facegan.experiment import override
from facegan.ledger.entry import decode
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from tests.fakes.driving import (
    RUN,
    SHORT,
    Session,
    TimedToy,
    Timeline,
    begun,
    committed,
    contents,
    declare_lost,
)
from tests.fakes.killing import Death, Killed, MortalStore, Operation

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
