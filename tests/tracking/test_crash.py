"""A sync killed anywhere, and a second sync anywhere between the operations of a first."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facegan.storage.memory import MemoryStore
from facegan.tracking import generator
from facegan.tracking.server import TrackingError
from tests.fakes.killing import Killed
from tests.tracking.world import Mlflow, Run, assert_same

SMALL = ("training.steps=4", "checkpoint.every_steps=2", "samples.every_steps=2", "evaluation.every_steps=4")
MOST = 100  # more operations than a small sync has


class Moments:
    """Calls `then` before operation number `at`, counted over MLflow's client and the ledger's appends.

    What lies between two operations changes nothing outside the process, so before each is everywhere.
    """

    def __init__(self, at: int, then: Callable[[], None]) -> None:
        self._at, self._then = at, then
        self.count = 0

    def pass_by(self) -> None:
        self.count += 1
        if self.count == self._at:
            self._then()


class WatchedClient:
    def __init__(self, client: Any, moments: Moments) -> None:
        self._client, self._moments = client, moments

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._moments.pass_by()
            return getattr(self._client, name)(*arguments, **named)

        return call


class WatchedLedgerStore(MemoryStore):
    def __init__(self, store: MemoryStore, moments: Moments) -> None:
        super().__init__()
        self.url, self.objects, self._moments = store.url, store.objects, moments

    def put_new(self, key: str, data: bytes) -> bool:
        self._moments.pass_by()
        return super().put_new(key, data)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A generator that is a text, and where its logged model is written: no TensorFlow here."""
    module = ModuleType("toy_export")

    def write(_uri: str, model_id: str, model: str, _use: object) -> None:
        (tmp_path / model_id).write_text(model)

    module.build = lambda recipe, state: f"{recipe.name} {state!r}"  # type: ignore[attr-defined]
    module.write = write  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_export", module)
    monkeypatch.setattr(generator, "BUILD", "toy_export:build")
    monkeypatch.setattr(generator, "WRITE", "toy_export:write")
    return tmp_path


def sync_with(run: Run, mlflow: Mlflow, moments: Moments, *, appends: bool = True) -> None:
    assert isinstance(run.store, MemoryStore)
    server = mlflow.unlocked(WatchedClient(mlflow.client, moments))
    ledger = run.ledger("sync", WatchedLedgerStore(run.store, moments) if appends else run.store)
    mlflow.copy(run, server=server, ledger=ledger).update()


def assert_settled(run: Run, mlflow: Mlflow, written: Path) -> None:
    """One MLflow run and one model, the ledger's; nothing else a user would see."""
    (settled,) = run.ledger().refresh().tracked.values()
    there = mlflow.the_run()
    assert there.info.run_id == settled["mlflow_run"]
    models = mlflow.client.search_logged_models([there.info.experiment_id])
    assert [model.model_id for model in models] == [settled["model"]]
    assert models[0].tags["facegan.step"] == str(run.ledger().refresh().steps)
    assert {output.model_id for output in there.outputs.model_outputs} == {settled["model"]}
    assert (written / settled["model"]).exists()


def kill() -> None:
    raise Killed


@pytest.fixture
def reference(new_mlflow: Callable[[], Mlflow], written: Path) -> dict[str, Any]:
    run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
    run.session()
    mlflow.sync(run)
    assert_settled(run, mlflow, written)
    return mlflow.dump()


def test_killed_before_every_operation_and_repeated(
    new_mlflow: Callable[[], Mlflow], reference: dict[str, Any], written: Path
) -> None:
    for at in range(1, MOST):
        run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
        run.session()
        moments = Moments(at, kill)
        try:
            sync_with(run, mlflow, moments)
        except Killed:
            mlflow.sync(run)
        assert_same(run, mlflow)
        assert_settled(run, mlflow, written)
        assert mlflow.dump() == reference, f"killed before operation {at}"
        if moments.count < at:
            break
    assert 20 < at < MOST


def test_killed_while_the_run_goes_on(new_mlflow: Callable[[], Mlflow]) -> None:
    """Killed when half is trained, repeated when all is."""
    for at in range(1, MOST, 3):
        run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
        run.session(dies_after=3)
        moments = Moments(at, kill)
        with contextlib.suppress(Killed):
            sync_with(run, mlflow, moments)
        run.session()
        mlflow.sync(run)
        assert_same(run, mlflow)
        assert mlflow.the_run().info.status == "FINISHED"
        if moments.count < at:
            break
    assert at < MOST


def test_a_second_sync_between_any_two_operations(
    new_mlflow: Callable[[], Mlflow], reference: dict[str, Any], written: Path
) -> None:
    """Each makes a run, an experiment or a model of its own where it can; one of each is left."""
    for at in range(1, MOST):
        run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
        run.session()

        def meanwhile(run: Run = run, mlflow: Mlflow = mlflow) -> None:
            mlflow.copy(run, server=mlflow.unlocked()).update()

        moments = Moments(at, meanwhile)
        sync_with(run, mlflow, moments)
        assert_same(run, mlflow)
        assert_settled(run, mlflow, written)
        assert mlflow.dump() == reference, f"another sync before operation {at}"
        if moments.count < at:
            break
    assert 20 < at < MOST


def test_a_slow_sync_of_a_run_that_finishes_meanwhile(new_mlflow: Callable[[], Mlflow]) -> None:
    """It read "interrupted" and writes RUNNING after a faster one wrote FINISHED: it must notice."""
    for at in range(1, MOST, 2):
        run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
        run.session(breaks_after=2)

        def meanwhile(run: Run = run, mlflow: Mlflow = mlflow) -> None:
            run.session()
            mlflow.copy(run, server=mlflow.unlocked()).update()

        moments = Moments(at, meanwhile)
        sync_with(run, mlflow, moments)
        if moments.count < at:
            break
        assert_same(run, mlflow)
        there = mlflow.the_run()
        assert (there.info.status, there.info.end_time) == ("FINISHED", run.at("report"))
        assert there.data.tags["facegan.state"] == "finished"
    assert at < MOST


def test_a_loser_that_was_killed_before_it_deleted_its_run(new_mlflow: Callable[[], Mlflow]) -> None:
    """Whoever comes next does it; a run with points in it is nobody's to delete."""
    run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
    run.session()
    mlflow.sync(run)
    there = mlflow.the_run()
    tags = {"facegan.ledger": there.data.tags["facegan.ledger"]}
    mlflow.client.create_run(there.info.experiment_id, tags=tags)
    mlflow.client.create_run(there.info.experiment_id, tags={"facegan.ledger": "another's"})
    full = mlflow.client.create_run(there.info.experiment_id, tags=tags)
    mlflow.client.log_metric(full.info.run_id, "mine", 1.0)
    mlflow.sync(run)
    left = {found.data.tags["facegan.ledger"] for found in mlflow.runs()}
    assert len(mlflow.runs()) == 3
    assert left == {tags["facegan.ledger"], "another's"}


def test_errors_at_every_operation_in_turn(new_mlflow: Callable[[], Mlflow]) -> None:
    """On one and the same database; what is said names no password."""
    run, mlflow = Run(store=MemoryStore()).begin(*SMALL), new_mlflow()
    run.session()

    def fail() -> None:
        raise ConnectionError("https://user:secret@host went away")

    said: list[TrackingError] = []
    for at in range(1, MOST):
        try:
            sync_with(run, mlflow, Moments(at, fail), appends=False)
        except TrackingError as error:
            said.append(error)
        else:
            break
    assert len(said) > 5
    assert all("https://host went away" in error.message and error.hint for error in said)
    assert_same(run, mlflow)
