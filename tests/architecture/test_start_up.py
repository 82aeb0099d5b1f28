"""Commands answer at once, because they load next to nothing. Real commands are run, not only `--help`."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.storage import open_store
from jobs.cli import COMMANDS as COMMANDS_OF_ALL
from jobs.cli import GROUPS
from tests.architecture.start import Started, start
from tests.unit.jobs import world

HEAVY = (
    "tensorflow", "keras", "numpy", "mlflow", "PIL", "boto3", "botocore", "google", "requests", "pydantic", "rich",
    "safetensors", "psutil", "docker", "jinja2", "matplotlib",
)  # fmt: skip
OWN_HEAVY = (
    "facegan.models", "facegan.data", "facegan.training", "facegan.metrics", "facegan.tracking", "facegan.reporting",
)  # fmt: skip
MOST_MODULES = 300  # of these some 230 come with Python and Typer
MOST_OF_ALL = 420  # where every command, or every backend, is asked what it is
ASK_ALL = {"help", "backends", "doctor", "rehearse"}

COMMANDS = {
    "help": ("--help",),
    "help of a command": ("submit", "--help"),
    "submit, dry": ("submit", "dcgan-mnist", "--dry-run"),
    "status": ("status", world.RUN),
    "status as JSON": ("status", world.RUN, "--json"),
    "ps": ("ps",),
    "ps as JSON": ("ps", "--json"),
    "logs": ("logs", world.RUN),
    "verify": ("verify", world.RUN),
    "prune, dry": ("prune", world.RUN, "--dry-run"),
    "stop": ("stop", world.RUN),
    "wait": ("wait", world.RUN),
    "experiments": ("experiments",),
    "experiments, one": ("experiments", "dcgan-celeba"),
    "rehearse": ("rehearse", "--days", "0.1", "--seed", "1"),
    "help of report": ("report", "--help"),
    "help of image": ("image", "--help"),
    "backends": ("backends",),
    "doctor": ("doctor",),
    "data list": ("data", "list"),
    "bad input": ("status", "Nothing"),
}
ENDS = {"bad input": 2}


@pytest.fixture(scope="module")
def used_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of somebody with a run that goes on and one that is finished."""
    home = tmp_path_factory.mktemp("used-home")
    store = open_store((home / "store").as_uri())
    world.finished(store)
    world.interrupted(store, "another")
    return home


@pytest.fixture
def started(
    used_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Started:
    monkeypatch.setenv("FACEGAN_HOME", str(used_home))
    return start(*COMMANDS[request.param], report=tmp_path / "report.json")


@pytest.mark.parametrize(("name", "started"), [(name, name) for name in COMMANDS], indirect=["started"], ids=COMMANDS)
def test_a_command_loads_nothing_heavy(name: str, started: Started) -> None:
    assert started.code == ENDS.get(name, started.code if name == "doctor" else 0), started.err
    heavy = {module for module in started.modules if module.partition(".")[0] in HEAVY}
    assert not heavy
    assert not {module for module in started.modules if module.startswith(OWN_HEAVY)}
    assert len(started.modules) < (MOST_OF_ALL if name in ASK_ALL else MOST_MODULES)


@pytest.mark.parametrize("started", ["help"], indirect=True)
def test_what_is_asserted_to_be_absent_would_be_seen(started: Started) -> None:
    assert {"jobs.cli", "typer", "facegan.errors"} <= started.modules


@pytest.mark.parametrize("started", ["ps"], indirect=True)
def test_only_the_storage_that_is_used_is_loaded(started: Started) -> None:
    assert {name for name in started.modules if name.startswith("facegan.storage.")} == {
        "facegan.storage.base", "facegan.storage.file", "facegan.storage.retry",
    }  # fmt: skip


@pytest.mark.parametrize("started", ["ps"], indirect=True)
def test_only_the_command_that_was_typed_is_loaded(started: Started) -> None:
    loaded = {name.removeprefix("jobs.cli.") for name in started.modules if name.startswith("jobs.cli.")}
    assert loaded & {*COMMANDS_OF_ALL, *GROUPS} == {"ps"}
