"""Listing and syncing a store with ten thousand finished runs asks about those that go on, and no others."""

from __future__ import annotations

import bisect
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.ledger.entry import digest
from facegan.storage.base import checked
from facegan.storage.memory import MemoryStore
from jobs import runs
from jobs.cli.sync import with_news
from jobs.ended import EndedRuns
from tests.fakes.killing import WatchedStore
from tests.unit.jobs import world

RUNS = 10_000
LIVE = ("going-a", "going-b", "going-c")


class SortedStore(MemoryStore):
    """A memory store whose listings do not look at every key: as those of the clouds."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    def fill(self, objects: dict[str, bytes]) -> None:
        self.objects.update(objects)
        self.keys = sorted(self.objects)

    def put_new(self, key: str, data: bytes) -> bool:
        if key not in self.objects:
            bisect.insort(self.keys, checked(key))
        return super().put_new(key, data)

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        found = []
        for key in self.keys[bisect.bisect_left(self.keys, prefix) :]:
            if not key.startswith(prefix):
                break
            if key > after:
                found.append(key)
        return iter(found)


def renamed(objects: dict[str, bytes], run: str) -> dict[str, bytes]:
    """A finished run's ledger under another name. Of its entries only the newest is ever read here."""
    last = max(key for key in objects if "/ledger/" in key)
    found = {}
    for key, data in objects.items():
        if "/ledger/" in key:
            found[key.replace(world.RUN, run)] = data if key != last else sealed(json.loads(data), run)
    return found


def sealed(fields: dict[str, object], run: str) -> bytes:
    del fields["check"]
    fields["fold"] = {**fields["fold"], "run": run}  # type: ignore[dict-item]
    data = json.dumps(fields, separators=(",", ":")).encode()[:-1]
    return data + b',"check":"' + digest(data).encode() + b'"}\n'


@pytest.fixture(scope="module")
def many() -> WatchedStore:
    one = MemoryStore()
    world.finished(one)
    store, objects = SortedStore(), {}
    for number in range(RUNS):
        objects |= renamed(one.objects, f"run-{number:05d}")
    for name in LIVE:
        goes_on = MemoryStore()
        world.interrupted(goes_on, name)
        objects |= {key: data for key, data in goes_on.objects.items() if "/ledger/" in key}
    store.fill(objects)
    return WatchedStore(store)


def test_the_second_look_asks_about_those_that_go_on(home: Path, many: WatchedStore) -> None:
    context = world.context(home, many)
    many.operations.clear()
    assert {view.run for view in runs.live(context)} == set(LIVE)
    first = Counter(it.verb for it in many.operations)
    assert first == {"folders": 1, "list": RUNS + len(LIVE), "get": RUNS + len(LIVE)}
    assert len(EndedRuns(home, many.url).names()) == RUNS

    many.operations.clear()
    assert {view.run for view in runs.live(context)} == set(LIVE)
    assert Counter(it.verb for it in many.operations) == {"folders": 1, "list": len(LIVE), "get": len(LIVE)}
    assert {it.key.split("/")[1] for it in many.operations if it.verb != "folders"} == set(LIVE)

    EndedRuns(home, many.url).synced(context.settings.tracking, [f"run-{number:05d}" for number in range(RUNS)])
    many.operations.clear()
    assert sorted(with_news(context)) == sorted(LIVE)
    assert len(many.operations) == 1 + 2 * len(LIVE)
