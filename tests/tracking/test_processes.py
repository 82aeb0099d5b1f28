"""Real processes: the command itself, SIGKILL, and several at once on one database."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facegan import layout
from facegan.storage.file import FileStore
from tests.tracking.world import RUN, Mlflow, Run, assert_same
from tests.waiting import until

SIGKILLED = -signal.SIGKILL
Fork = Callable[..., list[int]]


@pytest.fixture(scope="module")
def fork(environment: dict[str, str]) -> Iterator[Fork]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.tracking.forked_syncs"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def ask(run: Run, mlflow: Mlflow, *kills: int) -> list[int]:
        assert child.stdin
        assert child.stdout
        url = layout.run_url(run.store.url, run.run)
        child.stdin.write(f"{url} {mlflow.uri} {' '.join(map(str, kills))}\n")
        child.stdin.flush()
        return list(map(int, child.stdout.readline().split()))

    with child:
        yield ask
        assert child.stdin
        child.stdin.close()
        assert child.wait(30) == 0


def test_killed_by_the_kernel_again_and_again(file_run: Run, mlflow: Mlflow, fork: Fork) -> None:
    """One run, one database: each sync gets a little further, or no further, and none leaves harm."""
    file_run.session(dies_after=12)
    statuses = [fork(file_run, mlflow, at)[0] for at in (3, 5, 7)]
    file_run.session()
    statuses += [fork(file_run, mlflow, at)[0] for at in (4,)]
    assert statuses == [SIGKILLED] * 4
    assert fork(file_run, mlflow, 0) == [0]
    assert_same(file_run, mlflow)
    assert mlflow.the_run().info.status == "FINISHED"


def test_several_at_once_at_every_stage(file_run: Run, mlflow: Mlflow, fork: Fork) -> None:
    for dies_after in (7, None):
        file_run.session(dies_after=dies_after)
        assert fork(file_run, mlflow, 0, 0, 0) == [0, 0, 0]
        assert_same(file_run, mlflow)
    assert mlflow.the_run().info.status == "FINISHED"


def test_several_at_once_one_of_them_killed(file_run: Run, mlflow: Mlflow, fork: Fork) -> None:
    file_run.session()
    for at in (4, 7):
        survivor, other = fork(file_run, mlflow, 0, at)
        assert survivor == 0
        assert other in {SIGKILLED, 0}  # 0 when the survivor had left it nothing to do
        assert fork(file_run, mlflow, 0) == [0]  # what the dead one made last is deleted by whoever comes by
        assert_same(file_run, mlflow)


def test_two_commands_at_once_from_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    """No database, no experiment, no run: both make them, and one of each is left."""
    runs = [Run(store=FileStore(tmp_path / "store"), run=name).begin() for name in (RUN, "another")]
    for run in runs:
        run.session(dies_after=12)
    mlflow = Mlflow(uri=f"sqlite:///{tmp_path}/home/mlflow/mlflow.db")
    urls = [layout.run_url(run.store.url, run.run) for run in runs]
    command = [sys.executable, "-m", "facegan", "sync", "--tracking-uri", mlflow.uri]
    children = [
        subprocess.Popen(
            [*command, *urls, *extra], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for extra in (["--json"], ["--watch", "600"])
    ]
    said, complaints = children[0].communicate(timeout=600)
    assert (children[0].returncode, complaints) == (0, "")
    assert children[1].stdout
    lines = [children[1].stdout.readline() for _ in urls]
    children[1].send_signal(signal.SIGTERM)
    assert children[1].wait(30) == -signal.SIGTERM
    children[1].communicate()
    found = {there.info.run_name: there.info.run_id for there in mlflow.runs()}
    assert len(mlflow.runs()) == len(runs)
    for run, line, watched in zip(runs, map(json.loads, said.splitlines()), lines, strict=True):
        held = (len(run.committed()), len(run.pictures()))
        assert (line["run"], line["mlflow_run"]) == (run.run, found[run.run])
        assert (line["points"], line["images"], line["state"]) == (*held, "running")
        assert found[run.run] in watched
        assert f"{held[0]} points" in watched
    experiment = mlflow.client.get_experiment_by_name("facegan/dcgan-mnist")
    assert experiment.artifact_location == (tmp_path / "home/mlflow/artifacts/dcgan-mnist").as_uri()


def test_watching_goes_on_until_it_is_left_alone(file_run: Run, mlflow: Mlflow, environment: dict[str, str]) -> None:
    """What is committed meanwhile arrives; when the starter is gone, so is it."""
    script = (
        "import subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-m', 'facegan', 'sync', *sys.argv[1:]]);"
        "print(child.pid, flush=True); sys.stdin.read(1)"
    )
    url = layout.run_url(file_run.store.url, RUN)
    starter = subprocess.Popen(
        [sys.executable, "-c", script, url, "--tracking-uri", mlflow.uri, "--watch", "0.2"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert starter.stdout
    pid = int(starter.stdout.readline())
    assert " 0 points" in starter.stdout.readline()
    file_run.session(dies_after=12)
    points = f" {len(file_run.committed())} points"
    while points not in (line := starter.stdout.readline()):
        assert line
    starter.communicate("x", timeout=300)
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert_same(file_run, mlflow)
