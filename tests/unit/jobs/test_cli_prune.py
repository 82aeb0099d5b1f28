"""`facegan-job prune`: what it shows, what it deletes, and that they are the same."""

from __future__ import annotations

import pytest

from facegan.errors import SessionExit
from facegan.storage import ObjectStore
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli


@pytest.fixture
def run(file_store: ObjectStore) -> ObjectStore:
    """A finished run with states at 2, 4, … 12, which its own session kept."""
    world.create(file_store, chosen=world.experiment("checkpoint.every_steps=2", "checkpoint.keep=50"))
    world.ask(file_store)
    assert world.train(file_store, 1) is SessionExit.FINISHED
    return file_store


def states(store: ObjectStore) -> list[int]:
    keys = store.list(f"runs/{world.RUN}/checkpoints/")
    return sorted(int(key.split("/")[3].split("-")[0]) for key in keys if key.endswith("state.safetensors"))


def test_a_dry_run_shows_exactly_what_goes_and_deletes_nothing(cli: Cli, run: ObjectStore) -> None:
    shown = cli("prune", world.RUN, "--keep", "2", "--dry-run", "--json").json()
    assert states(run) == [2, 4, 6, 8, 10, 12]
    sizes = run.sizes("runs/")
    assert {it["key"]: it["size"] for it in shown["gone"]} == {it["key"]: sizes[it["key"]] for it in shown["gone"]}
    gone = cli("prune", world.RUN, "--keep", "2", "--json").json()
    assert (gone["gone"], gone["bytes"]) == (shown["gone"], shown["bytes"])
    assert (shown["dry_run"], gone["dry_run"]) == (True, False)
    assert sizes.keys() - run.sizes("runs/").keys() == {it["key"] for it in gone["gone"]}
    assert states(run) == [10, 12]
    assert cli("verify", world.RUN).code == 0


@pytest.mark.usefixtures("run")
def test_it_says_how_much_and_why(cli: Cli) -> None:
    said = cli("prune", world.RUN, "--keep", "4", "--dry-run")
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert [line.split()[2].rpartition("/")[2] for line in lines[:-1]] == ["state.safetensors"] * 2
    assert all("MB" in line and "old" in line for line in lines[:-1])
    assert "2 objects of 0.0 MB would go" in lines[-1]
    assert "2 objects of 0.0 MB are gone" in cli("prune", world.RUN, "--keep", "4").out
    assert "0 objects" in cli("prune", world.RUN, "--keep", "4").out


def test_one_of_every_so_many_steps_is_kept(cli: Cli, run: ObjectStore) -> None:
    cli("prune", world.RUN, "--keep", "2", "--every", "4")
    assert states(run) == [4, 8, 10, 12]


def test_without_flags_it_keeps_what_the_experiment_says(cli: Cli, run: ObjectStore) -> None:
    cli("prune", world.RUN)
    assert states(run) == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize("flags", [("--keep", "1"), ("--keep", "x"), ("--every", "0")])
def test_fewer_than_two_are_never_kept(flags: tuple[str, str], cli: Cli, run: ObjectStore) -> None:
    assert cli("prune", world.RUN, *flags).code == 2
    assert len(states(run)) == 6


def test_no_such_run(cli: Cli) -> None:
    assert cli("prune", "nothing").code == 102
