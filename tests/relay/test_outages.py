"""What does not answer for a while is no evidence: a watch stays, says so, and is done with a run only at its end."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import UnreachableError
from facegan.ledger import Ledger, State
from jobs import runs
from jobs.cli.watch import carry
from jobs.ended import EndedRuns
from jobs.errors import Exit
from jobs.supervision.actions import GiveUp, Leave, Rest, Wait
from jobs.supervision.policy import Allowed
from jobs.supervision.watching import Watch
from tests.relay.world import LENGTH, RUN, Told, World
from tests.unit.jobs import world
from tests.unit.jobs.conftest import cli, file_store, folder, home
from tests.unit.jobs.typed import Cli

__all__ = ["cli", "file_store", "folder", "home"]


@pytest.fixture
def here(boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(home=boring_environment)
    made.install(monkeypatch.setattr)
    world.create(made.store, RUN, world.experiment(*LENGTH))
    return made


class Down:
    """A store that does not answer while it `is_down`."""

    def __init__(self, here: World, is_down: Any) -> None:
        self.url, self._here, self._is_down = here.store.url, here, is_down

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._here.store, name)

        def ask(*arguments: Any, **more: Any) -> Any:
            if self._is_down(self._here.now):
                raise UnreachableError("no answer")
            return found(*arguments, **more)

        return ask


def watch(here: World, store: Any = None, names: Sequence[str] | None = None) -> tuple[Watch, list[tuple[str, Rest]]]:
    heard: list[tuple[str, Rest]] = []

    def heed(ledger: Ledger, rest: Rest) -> bool:
        heard.append((ledger.run, rest))
        return True

    context = here.context(store)
    allowed = Allowed(settings=context.settings, backends=tuple(here.names))
    return Watch(context=context, allowed=allowed, voice=Told(here), names=names, heed=heed), heard


@pytest.mark.parametrize("begins", [0.0, 10.0])
def test_a_minute_without_a_store_ends_no_watch(here: World, begins: float) -> None:
    """From the first look on, or between two."""
    made, _ = watch(here, Down(here, lambda now: begins <= now < begins + 60.0), [RUN])
    assert made.until_over() == {RUN: Leave(why="all 16 steps are committed", over=True)}
    assert here.now >= 60.0
    assert here.fold().state is State.FINISHED
    assert any("no answer" in line for line in here.said)


def test_what_could_not_be_looked_at_is_not_well_and_says_so_once(here: World) -> None:
    made, _ = watch(here, Down(here, lambda _now: True), [RUN])
    rest = made.once()[RUN]
    assert isinstance(rest, Wait)
    assert list(made.troubles) == [RUN]
    context = here.context(Down(here, lambda _now: True))  # type: ignore[arg-type]
    allowed = Allowed(settings=context.settings, backends=tuple(here.names))
    for names in ([RUN], None):
        assert carry(context, allowed, names, once=True) == Exit.ERROR
    assert carry(here.context(), allowed, [RUN], once=True) == Exit.OK


def test_a_listing_that_fails_ends_no_watch_over_all_runs(here: World) -> None:
    class EnoughError(Exception):
        pass

    def slept(seconds: float) -> None:
        World.sleep(here, seconds)
        if here.now > 200.0:
            raise EnoughError

    made, _ = watch(here, Down(here, lambda now: now < 60.0))
    made.context = dataclasses.replace(made.context, sleep=slept)
    with pytest.raises(EnoughError):
        made.until_over()
    assert here.fold().state is State.FINISHED
    assert "runs: error: no answer" in here.said


def test_a_cache_that_cannot_be_used_ends_no_watch(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    for name in ("watched", "watch_ended", "remember"):
        monkeypatch.setattr(EndedRuns, name, full)
    made, _ = watch(here)
    made.once()
    here.sleep(1.0)
    assert made.once()[RUN] == Leave(why="all 16 steps are committed", over=True)


def test_a_run_that_is_removed_is_watched_no_more(here: World) -> None:
    for key in [*here.store.list("")]:
        here.store.delete(key)
    made, _ = watch(here, None, [RUN])
    assert isinstance(made.until_over()[RUN], GiveUp)


def test_a_run_that_ps_saw_end_is_told_and_copied_all_the_same_and_then_no_more(here: World) -> None:
    watch(here)[0].once()
    here.sleep(1.0)
    assert runs.live(here.context()) == []
    here.synced.clear()
    made, heard = watch(here)
    assert made.once() == {RUN: Leave(why="all 16 steps are committed", over=True)}
    assert [run for run, _ in heard] == here.synced == [RUN]
    assert watch(here)[0].once() == {}, "a watch is done with it"
    assert EndedRuns(here.home, here.store.url).names() == {RUN}


def test_a_copy_that_fails_is_made_again(here: World) -> None:
    watch(here)[0].once()
    here.sleep(1.0)
    here.is_mlflow_away = True
    made, _ = watch(here)
    for _ in range(2):
        here.synced.clear()
        made.once()
        assert here.synced == [RUN]
    here.is_mlflow_away = False
    assert list(watch(here)[0].once()) == [RUN], "another watch knows that it is not done"
    assert watch(here)[0].once() == {}


def test_a_notice_that_was_not_sent_keeps_a_run_from_being_left_out(here: World) -> None:
    watch(here)[0].once()
    here.sleep(1.0)
    made, _ = watch(here)
    made.heed = lambda _ledger, _rest: False
    made.once()
    assert list(watch(here)[0].once()) == [RUN]


def test_one_damaged_run_takes_no_output_from_the_others(
    cli: Cli, file_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.heavy.has", lambda _package: False)
    world.finished(file_store, "a")
    world.finished(file_store, "b")
    last = max(key for key in file_store.list("runs/a/ledger/"))
    file_store.put(last, b"junk")
    said = cli("watch", "--once", "--json")
    assert said.code == Exit.RUN_FAILED
    assert {each["run"]: each["state"] for each in said.json()} == {"a": "damaged", "b": "finished"}


def test_a_server_that_nothing_can_be_copied_to_is_said(
    cli: Cli, file_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.finished(file_store)
    monkeypatch.setattr("jobs.heavy.has", lambda _package: False)
    assert "MLflow" not in cli("watch", "--once").err
    monkeypatch.setenv("FACEGAN_TRACKING", "https://mlflow.example.org")
    said = cli("watch", "--once")
    assert "error: MLflow is not installed here, so nothing is copied to its server" in said.err
    assert "facegan-job[track]" in said.hint


def test_no_server_is_no_failed_copy(cli: Cli, home: Path, file_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a secret that is not set is an empty text."""
    world.finished(file_store)
    monkeypatch.setenv("FACEGAN_TRACKING", "")
    assert cli("watch", "--once").code == 0
    assert EndedRuns(home, file_store.url).watched() == {RUN}
