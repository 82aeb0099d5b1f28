"""What is remembered of runs that are over: a cache, of one store, that may vanish at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.ended import EndedRuns

STORE = "file:///a"


def view(run: str, at: float) -> dict[str, object]:
    return {"run": run, "at": at, "state": "finished"}


@pytest.fixture
def ended(home: Path) -> EndedRuns:
    return EndedRuns(home, STORE)


def test_asking_makes_no_file(ended: EndedRuns, home: Path) -> None:
    assert (ended.names(), ended.newest(5), ended.unsynced("t")) == (set(), [], [])
    ended.forget("a")
    ended.remember([])
    assert not list(home.iterdir())


def test_the_newest_come_first(ended: EndedRuns) -> None:
    ended.remember([view("old", 1.0), view("new", 3.0), view("middle", 2.0)])
    assert [found["run"] for found in ended.newest(2)] == ["new", "middle"]
    assert [found["run"] for found in ended.newest(None)] == ["new", "middle", "old"]
    assert ended.names() == {"old", "new", "middle"}


def test_remembered_again_the_newer_view_counts(ended: EndedRuns) -> None:
    ended.remember([view("a", 1.0)])
    ended.remember([view("a", 2.0) | {"state": "cancelled"}])
    assert ended.newest(None) == [view("a", 2.0) | {"state": "cancelled"}]


def test_one_store_knows_nothing_of_another(ended: EndedRuns, home: Path) -> None:
    other = EndedRuns(home, "file:///b")
    ended.remember([view("a", 1.0)])
    ended.synced("tracking", ["a"])
    assert other.names() == set()
    other.remember([view("a", 2.0)])
    assert other.unsynced("tracking") == ["a"]
    other.forget("a")
    assert ended.names() == {"a"}


def test_what_is_forgotten_is_asked_about_again(ended: EndedRuns) -> None:
    ended.remember([view("a", 1.0), view("b", 1.0)])
    ended.synced("tracking", ["a", "b"])
    ended.forget("a")
    assert ended.names() == {"b"}
    ended.remember([view("a", 2.0)])
    assert ended.unsynced("tracking") == ["a"], "it was forgotten that it was copied, too"


def test_each_tracking_server_is_remembered_apart(ended: EndedRuns) -> None:
    ended.remember([view("a", 1.0), view("b", 2.0)])
    ended.synced("one", ["a"])
    assert ended.unsynced("one") == ["b"]
    assert sorted(ended.unsynced("two")) == ["a", "b"]


def test_synced_before_it_is_remembered_is_no_error(ended: EndedRuns) -> None:
    ended.synced("one", ["a"])
    assert ended.unsynced("one") == []
    assert ended.names() == set()


def test_it_may_be_deleted_at_any_time(ended: EndedRuns, home: Path) -> None:
    ended.remember([view("a", 1.0)])
    for path in (home / "cache").iterdir():
        path.unlink()
    assert ended.names() == set()
    ended.remember([view("b", 1.0)])
    assert ended.names() == {"b"}
