"""Commands that change something: what they change, and that they say so."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from facegan.storage import ObjectStore
from tests.fakes.toy import PNG
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli, contents
from tests.unit.jobs.world import RUN


def running(store: ObjectStore) -> None:
    world.create(store)
    world.ask(store)
    world.die(store, machine=world.alive())


def test_stop_of_a_running_run(cli: Cli, file_store: ObjectStore) -> None:
    running(file_store)
    said = cli("stop", RUN)
    assert (said.code, said.out) == (0, "")
    assert f"run {RUN} is stopped: its session ends within some seconds" in said.err
    assert said.hint == f"hint: facegan-job resume {RUN} goes on"
    assert cli("status", RUN, "--json").json()["flags"] == ["stopping"]


def test_stop_of_a_run_without_a_session_and_of_a_finished_one(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store, "a")
    world.finished(file_store, "b")
    assert "no session was open" in cli("stop", "a").err
    assert "is finished; there is nothing to stop" in cli("stop", "b").err


def test_cancel_is_final_and_keeps_what_was_made(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store)
    said = cli("cancel", RUN)
    assert (said.code, said.out) == (0, "")
    assert f"run {RUN} is cancelled" in said.err
    assert cli("status", RUN, "--json").json()["state"] == "cancelled"
    assert cli("verify", RUN).code == 0
    resumed = cli("resume", RUN, "-d")
    assert resumed.code == 1
    assert "is cancelled, which is final" in resumed.err


def test_cancel_of_a_finished_run_says_that_it_came_too_late(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store)
    assert "finished before it could be cancelled" in cli("cancel", RUN).err


def test_rm_removes_a_run_and_what_is_remembered_of_it(cli: Cli, file_store: ObjectStore) -> None:
    world.finished(file_store)
    assert [run["run"] for run in cli("ps", "--json").json()] == [RUN]
    said = cli("rm", RUN, "--yes")
    assert (said.code, said.out) == (0, "")
    assert f"run {RUN} is deleted" in said.err
    assert not world.contents(file_store)
    assert cli("ps", "--json").json() == []
    assert cli("rm", RUN, "--yes").code == 102


@pytest.mark.parametrize("answer", ["n\n", "", "\n"])
def test_rm_asks_first(answer: str, cli: Cli, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world.interrupted(file_store)
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    before = world.contents(file_store)
    said = cli("rm", RUN)
    assert said.code == 1
    assert not said.out.strip()
    assert "nothing was changed" in said.err
    assert "(interrupted, step 4) for ever?" in said.err
    assert world.contents(file_store) == before


def test_rm_does_what_was_confirmed(cli: Cli, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world.interrupted(file_store)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert cli("rm", RUN).code == 0
    assert not world.contents(file_store)


def test_rm_of_a_run_with_an_open_session_is_refused(cli: Cli, file_store: ObjectStore) -> None:
    running(file_store)
    before = world.contents(file_store)
    said = cli("rm", RUN, "-y")
    assert said.code == 1
    assert said.hint == f"hint: facegan-job cancel {RUN}"
    assert world.contents(file_store) == before


def test_rm_of_a_damaged_run(cli: Cli, file_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world.finished(file_store)
    file_store.delete(f"runs/{RUN}/ledger/00000002.json")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    said = cli("rm", RUN)
    assert said.code == 0
    assert "(damaged) for ever?" in said.err
    assert not world.contents(file_store)


@pytest.mark.usefixtures("no_tensorflow")
def test_pull_fetches_pictures_and_metrics(cli: Cli, file_store: ObjectStore, folder: Path) -> None:
    world.finished(file_store)
    said = cli("pull", RUN)
    assert (said.code, said.out) == (0, f"{folder / RUN}\n")
    assert sorted(contents(folder / RUN)) == [
        "metrics.jsonl",
        "samples",
        "samples/00000006-grid.png",
        "samples/00000012-grid.png",
    ]
    lines = (folder / RUN / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 13))
    assert (folder / RUN / "samples" / "00000012-grid.png").read_bytes().startswith(PNG)


@pytest.mark.usefixtures("no_tensorflow")
def test_pull_into_a_folder_twice_is_the_same(cli: Cli, file_store: ObjectStore, folder: Path) -> None:
    world.interrupted(file_store)
    said = cli("pull", RUN, "out/of/here", "--json")
    assert said.json() == {"run": RUN, "folder": str(folder / "out/of/here"), "generator": None, "damaged": []}
    before = contents(folder)
    assert cli("pull", RUN, "out/of/here").code == 0
    assert contents(folder) == before


@pytest.mark.usefixtures("no_tensorflow")
def test_pull_of_a_damaged_run_fetches_the_rest_and_names_what_is_missing(
    cli: Cli, file_store: ObjectStore, folder: Path
) -> None:
    world.finished(file_store)
    key = next(key for key in file_store.list(f"runs/{RUN}/") if key.endswith("00000006-grid.png"))
    file_store.put(key, b"")
    said = cli("pull", RUN, "--json")
    assert said.code == 104
    (damaged,) = said.json()["damaged"]
    assert damaged.startswith(f"{key} has 0 bytes, not ")
    assert not (folder / RUN / "samples" / "00000006-grid.png").exists()
    assert (folder / RUN / "samples" / "00000012-grid.png").exists()


def test_sample_of_a_run_without_a_checkpoint_says_so(cli: Cli, file_store: ObjectStore) -> None:
    world.create(file_store)
    said = cli("sample", RUN)
    assert said.code == 1
    assert f'run "{RUN}" has committed no checkpoint yet' in said.err
    assert said.hint


def test_submit_with_a_name_that_has_other_content(cli: Cli, file_store: ObjectStore) -> None:
    world.interrupted(file_store)
    before = world.contents(file_store)
    said = cli("submit", "dcgan-mnist", "--name", RUN, "-d")
    assert said.code == 2
    assert f'there is a run "{RUN}" already, with other content' in said.err
    assert world.contents(file_store) == before


def test_a_dry_run_prints_what_would_be_sent_and_sends_nothing(cli: Cli, home: Path) -> None:
    said = cli("submit", "dcgan-mnist", "--set", "training.steps=5", "--name", "mine", "--dry-run")
    assert said.code == 0
    sent = said.json()
    assert sent["created"]["experiment"]["training"]["steps"] == 5
    assert sent["created"]["data"]["count"] == 5_000
    where = {"backend": "local", "host": None, "gpu": None, "bundle": {}}
    own = {"usd_h": 0.0, "market": "own"}
    assert sent["intent"] == {"session": 1, **where, "resume": False, "price": own}
    assert sent["session"]["arguments"][-4:] == ["run", f"{sent['store']}/runs/mine", "--session", "1"]
    assert sent["session"]["environment"]["FACEGAN_HOME"] == str(home)
    assert not contents(home)


def test_two_runs_without_a_name_have_two(cli: Cli) -> None:
    first, second = (cli("submit", "dcgan-mnist", "--dry-run").json()["created"]["run"] for _ in range(2))
    assert first != second
    assert first.startswith("dcgan-mnist-")
