"""Where the hours went, and how far the ledger was seen, as MLflow is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from facegan import layout
from facegan.storage.memory import MemoryStore
from facegan.tracking import command, words
from facegan.verify import Head
from tests.tracking.world import RUN, Mlflow, Run


def in_two() -> Run:
    run = Run(store=MemoryStore()).begin()
    run.session(dies_after=10)
    run.say("lost", session=1, why="gone")
    run.session()
    return run


def hours_of(mlflow: Mlflow) -> dict[str, str]:
    tags = mlflow.the_run().data.tags
    return {key.removeprefix(words.HOURS): value for key, value in tags.items() if key.startswith(words.HOURS)}


def test_the_hours_of_a_run_are_tags_that_add_up(new_mlflow: Callable[[], Mlflow]) -> None:
    run, mlflow = in_two(), new_mlflow()
    mlflow.sync(run)
    said = hours_of(mlflow)
    sessions = [json.loads(said.pop(f"session.{number}")) for number in (1, 2)]
    whole = float(said.pop("whole_s"))
    assert abs(sum(map(float, said.values())) - whole) < 1e-6
    assert whole > 0
    assert all(set(parts) == {"queue", "away", "starting", "useful", "again", "saving"} for parts in sessions)
    before = mlflow.the_run().data.tags
    assert mlflow.sync(run).new_points == 0
    assert mlflow.the_run().data.tags == before, "what a sync appends is no time of the run's"


def test_mlflow_knows_how_far_the_ledger_was_seen_and_does_not_forget_it(new_mlflow: Callable[[], Mlflow]) -> None:
    run, mlflow = in_two(), new_mlflow()
    done = mlflow.sync(run)
    head = words.head_of(mlflow.the_run().data.tags)
    assert head == Head(seq=done.seq, digest=run.ledger().digest_of(done.seq))
    assert isinstance(run.store, MemoryStore)
    for key in [*run.store.list(layout.ledger(RUN))][-2:]:
        run.store.delete(key)
    mlflow.sync(run)
    assert words.head_of(mlflow.the_run().data.tags) == head
    assert any("is missing, although MLflow has seen it" in note for note in mlflow.notes)
    done = mlflow.sync(run, accepted=True)
    assert words.head_of(mlflow.the_run().data.tags) == Head(seq=done.seq, digest=run.ledger().digest_of(done.seq))


def test_a_tag_that_anybody_may_have_written_is_no_head() -> None:
    for text in ("", "x", "-1:" + 64 * "0", "1:00", f"{10**20}:" + 64 * "0"):
        assert words.head_of({words.HEAD: text}) is None


def test_the_head_that_mlflow_has_is_asked_for_by_a_process_of_its_own(
    new_mlflow: Callable[[], Mlflow], file_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow, url = new_mlflow(), layout.run_url(file_run.store.url, RUN)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.uri)
    assert command.head([url]) == 0
    assert json.loads(capsys.readouterr().out) is None
    file_run.session()
    done = mlflow.sync(file_run)
    assert command.head([url]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "seq": done.seq,
        "digest": file_run.ledger().digest_of(done.seq),
    }
