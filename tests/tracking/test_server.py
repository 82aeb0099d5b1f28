"""What can be wrong on the other side, and what becomes of it: a word to the user, and nothing lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan import layout
from facegan.errors import BadInputError
from facegan.storage.memory import MemoryStore
from facegan.tracking import command
from facegan.tracking.server import Server, TrackingError
from tests.tracking.world import RUN, Mlflow, Run, assert_same

SECRET = "hunter2"


def sync(run: Run, *more: str) -> list[str]:
    return [sys.executable, "-m", "facegan", "sync", layout.run_url(run.store.url, run.run), *more]


def test_a_server_that_is_not_there(file_run: Run, environment: dict[str, str]) -> None:
    file_run.session()
    before = file_run.ledger().refresh()
    began = time.monotonic()
    done = subprocess.run(
        sync(file_run), env={**environment, "MLFLOW_TRACKING_URI": f"http://me:{SECRET}@127.0.0.1:9"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith('error: the tracking server "http://127.0.0.1:9" ')
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    assert file_run.ledger().refresh() == before
    assert time.monotonic() - began < 240


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is a text")
    with pytest.raises(TrackingError, match="file is not a database"):
        Server.open(f"sqlite:///{tmp_path}/mlflow.db")


def test_no_server_is_named(file_run: Run) -> None:
    with pytest.raises(BadInputError, match="no tracking server is named"):
        command.main(sync(file_run)[4:])


def test_a_run_that_is_not_there_does_not_hide_the_others(
    file_run: Run, mlflow: Mlflow, capsys: pytest.CaptureFixture[str]
) -> None:
    file_run.session()
    missing = layout.run_url(file_run.store.url, "missing")
    urls = [missing, layout.run_url(file_run.store.url, RUN)]
    assert command.main([*urls, "--tracking-uri", mlflow.uri]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{RUN}  MLflow run {mlflow.the_run().info.run_id}: ")
    assert len(said.out.splitlines()) == 1
    assert 'there is no run "missing"' in said.err
    assert_same(file_run, mlflow)


def test_what_a_user_deleted_in_mlflow_is_not_made_again(memory_run: Run, mlflow: Mlflow) -> None:
    memory_run.session()
    mlflow.sync(memory_run)
    run = mlflow.the_run()
    mlflow.client.delete_run(run.info.run_id)
    with pytest.raises(TrackingError, match="was deleted in MLflow") as refused:
        mlflow.sync(memory_run)
    assert refused.value.hint == f"mlflow runs restore --run-id {run.info.run_id}"
    mlflow.client.restore_run(run.info.run_id)
    mlflow.client.delete_experiment(run.info.experiment_id)
    with pytest.raises(TrackingError, match="was deleted in MLflow") as refused:
        mlflow.sync(memory_run)
    assert refused.value.hint == f"mlflow experiments restore --experiment-id {run.info.experiment_id}"
    mlflow.client.restore_experiment(run.info.experiment_id)
    mlflow.sync(memory_run)
    assert_same(memory_run, mlflow)


def test_a_database_made_anew_at_the_same_place_is_another_server(
    memory_run: Run, mlflow: Mlflow, migrated: Path
) -> None:
    memory_run.session()
    mlflow.sync(memory_run)
    database = Path(mlflow.uri.removeprefix("sqlite:///"))
    again = Mlflow(uri=f"sqlite:///{database.parent.parent}/again/../{database.parent.name}/mlflow.db")
    shutil.copyfile(migrated, database.with_name("new.db"))
    database.with_name("new.db").replace(database)
    (database.parent.parent / "again").mkdir()
    again.sync(memory_run)
    assert_same(memory_run, again)
    assert len(memory_run.ledger().refresh().tracked) == 2
    assert len({name.partition("#")[0] for name in memory_run.ledger().refresh().tracked}) == 1


def test_two_runs_of_one_name_stay_two(new_mlflow: Callable[[], Mlflow]) -> None:
    """In two stores that call themselves alike: what names a run is its first entry."""
    mlflow = new_mlflow()
    for seed in (1, 2):
        run = Run(store=MemoryStore()).begin(f"seed={seed}")
        run.session()
        mlflow.sync(run)
    assert len(mlflow.runs()) == 2
    assert {run.data.params["seed"] for run in mlflow.runs()} == {"1", "2"}


def test_no_secret_reaches_the_ledger_or_mlflow(mlflow: Mlflow) -> None:
    store = MemoryStore()
    store.url = f"https://me:{SECRET}@host/bucket"
    run = Run(store=store).begin()
    run.session(dies_after=7)
    run.say("lost", session=1, why=f"https://me:{SECRET}@host said so")
    server = Server(f"http://me:{SECRET}@host:5000", mlflow.client, str(Path(mlflow.uri.partition("///")[2]).parent))
    mlflow.copy(run, server=server).update()
    assert "http://host:5000#1" in "".join(run.ledger().refresh().tracked)
    said = [entry.body for entry in run.ledger().entries() if entry.kind == "tracked"]
    assert said
    assert SECRET not in str(said)
    database = Path(mlflow.uri.removeprefix("sqlite:///"))
    for path in database.parent.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()
    assert mlflow.the_run().data.tags["facegan.store"] == "https://host/bucket"
