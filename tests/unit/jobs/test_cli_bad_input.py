"""Bad input: the value in quotes, what would be valid, the right exit code, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.catalog import CATALOG
from facegan.storage import ObjectStore
from jobs.cli import program
from jobs.settings import KEYS
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli, contents

SUBMIT = ("submit", "dcgan-mnist", "-d", "--name", "mine")
RUN_COMMANDS = (
    "status",
    "logs",
    "stop",
    "cancel",
    "verify",
    "prune",
    "pull",
    "sample",
    "resume",
    "wait",
    "sync",
    "report",
)


def reject(cli: Cli, home: Path, *arguments: str, code: int = 2) -> tuple[str, str]:
    """Type it; the error and the hint. Nothing was printed as data, and nothing written."""
    before = contents(home), contents(Path.cwd())
    said = cli(*arguments)
    assert said.code == code, said.err
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert (contents(home), contents(Path.cwd())) == before
    return said.err.splitlines()[0], said.hint


def test_an_unknown_experiment(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, "submit", "dcgan-mnits", "-d")
    assert error == 'error: unknown experiment "dcgan-mnits"'
    assert hint == 'hint: did you mean "dcgan-mnist"? known: ' + ", ".join(sorted(CATALOG))
    assert reject(cli, home, "experiments", "dcgan-mnits") == (error, hint)


def test_an_unknown_key(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *SUBMIT, "--set", "training.stepz=5")
    assert '"training.stepz"' in error
    assert "training.steps" in hint


@pytest.mark.parametrize(
    ("setting", "quoted", "valid"),
    [
        ("training.steps=many", '"many"', "training.steps takes a whole number"),
        ("training.steps=0", '"0"', "at least 1"),
        ("training.compile=fast", '"fast"', "known: auto, graph, jit"),
        ("data.name=faces", '"faces"', "known: celeba, cifar10, imdb-wiki, mnist, mnist-5k"),
        ("model.family=resnet", '"resnet"', "known: cogan-28, cogan-dense"),
        ("training.steps", '"training.steps"', "key=value"),
    ],
)
def test_a_value_that_does_not_fit(setting: str, quoted: str, valid: str, cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *SUBMIT, "--set", setting)
    assert quoted in error
    assert valid in error + hint


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("evaluation.metric=agreement", '"agreement" needs two domains'),
        ("data.only=label=12", 'no image of "mnist-5k" has label=12'),
        ("model.family=dcgan-64", '"dcgan-64" makes images of 64x64x3'),
    ],
)
@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["sent", "not sent"])
def test_what_does_not_go_together(more: tuple[str, ...], setting: str, said: str, cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *SUBMIT, "--set", setting, *more)
    assert said in error
    assert hint or "takes a whole number" in said


@pytest.mark.usefixtures("home")
def test_the_length_is_said_before_anything_is_sent(cli: Cli) -> None:
    said = cli("submit", "dcgan-mnist", "--name", "mine", "--dry-run", "--set", "training.images=640")
    assert said.code == 0
    assert said.err.splitlines() == ["run mine: 640 images shown, 0.13 epochs of 5,000, 10 steps of 64"]
    assert said.json()["created"]["data"]["count"] == 5_000


@pytest.mark.usefixtures("home")
def test_a_name_that_is_taken_is_refused_before_anything_is_sent(cli: Cli, file_store: ObjectStore) -> None:
    taken = world.create(file_store).run
    said = cli("submit", "cogan-mnist", "--set", "data.name=mnist-5k", "--name", taken, "--dry-run")
    assert (said.code, said.out) == (2, "")
    assert f'error: there is a run "{taken}" already, with other content' in said.err


@pytest.mark.usefixtures("home")
def test_a_limit_above_what_there_is_gets_a_remark(cli: Cli) -> None:
    settings = ("--set", "data.only=label=3", "--set")
    said = cli("submit", "dcgan-mnist", "--dry-run", *settings, "data.limit=20000")
    assert said.code == 0
    assert "data.limit is 20,000, and there are 500 images: all of them are shown" in said.err
    assert "data.limit is" not in cli("submit", "dcgan-mnist", "--dry-run", *settings, "data.limit=500").err


@pytest.mark.parametrize("command", [SUBMIT, ("ps",), ("status", "a"), ("doctor",), ("sync",), ("ui",)])
@pytest.mark.parametrize("url", ["ftp://x", "store", "", "file:relative", "s4://bucket"])
def test_an_unknown_store(command: tuple[str, ...], url: str, cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *command, "--store", url)
    assert f'"{url}" is not the URL of a store' in error
    assert "file://" in hint


def test_a_store_on_another_host(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, "ps", "--store", "file://host/path")
    assert '"file://host/path" names no folder of this machine' in error
    assert "file:///" in hint


def test_a_store_that_sessions_cannot_reach(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *SUBMIT, "--store", "memory://here")
    assert '"memory://here"' in error
    assert "file://" in hint


def test_an_unknown_gpu(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    error, hint = reject(cli, home, *SUBMIT, "--gpu", "H9000")
    assert '"H9000"' in error
    assert "leave --gpu out" in hint


def test_an_unknown_gpu_where_there_are_others(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho Tesla T4\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    error, hint = reject(cli, home, *SUBMIT, "--gpu", "H9000")
    assert '"H9000"' in error
    assert hint == "hint: it has T4"


def test_an_unknown_backend(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *SUBMIT, "--backend", "lokal")
    assert error == 'error: unknown backend "lokal"'
    assert "local" in hint


@pytest.mark.parametrize("command", [*RUN_COMMANDS, "rm"])
def test_an_unknown_run(command: str, cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, command, "nothing", *(["-y"] if command == "rm" else []), code=102)
    assert 'there is no run "nothing"' in error
    assert hint == "hint: facegan-job ps lists the runs"


@pytest.mark.parametrize("command", RUN_COMMANDS)
@pytest.mark.parametrize("run", ["../x", "Nothing", "a/b"])
def test_a_run_that_cannot_be_one(command: str, run: str, cli: Cli, home: Path) -> None:
    error, _ = reject(cli, home, command, run)
    assert f'"{run}" cannot be the id of a run' in error


def test_a_name_that_cannot_be_one(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, "submit", "dcgan-mnist", "-d", "--name", "My Run")
    assert '"My Run"' in error
    assert "a-z" in hint


def test_an_experiment_file_that_is_not_there(cli: Cli, home: Path) -> None:
    error, _ = reject(cli, home, "submit", "mine.toml", "-d")
    assert error == 'error: experiment file "mine.toml" cannot be read: No such file or directory'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("= 5", '"mine.toml" is not TOML'),
        ('extends = "dcgan"', 'unknown experiment "dcgan"'),
        ('extends = "dcgan-mnist"\n[training]\nspeed = 1', 'unknown key "training.speed"'),
        ("seed = 1", 'the experiment lacks "model"'),
        ('extends = "dcgan-mnist"\n[training]\nsteps = true', 'training.steps takes a whole number, not "True"'),
    ],
)
def test_an_experiment_file_that_does_not_fit(text: str, said: str, cli: Cli, home: Path, folder: Path) -> None:
    (folder / "mine.toml").write_text(text)
    error, hint = reject(cli, home, "submit", "mine.toml", "-d")
    assert said in error
    assert hint or "takes a whole number" in said


def test_data_that_are_not_here(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, "submit", "cogan-mnist", "-d")
    assert error.startswith('error: prepared "mnist" cf85b8c3be4a… is neither on this machine nor in file://')
    assert hint == "hint: facegan-job data prepare mnist"


@pytest.mark.parametrize("name", ["../up", "A", "a/b", "-"])
def test_what_cannot_be_the_name_of_a_data_set(name: str, cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, "data", "prepare", "--", name)
    assert error == f'error: "{name}" cannot be the name of a data set'
    assert hint.startswith('hint: use 1 to 63 of a-z, 0-9 and "-"')


def test_an_address_of_nothing(cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, "data", "verify", "celeba@12")
    assert error == 'error: there are no prepared data "celeba@12"'
    assert hint == "hint: facegan-job data list"


def test_a_settings_file_that_does_not_fit(cli: Cli, home: Path, folder: Path) -> None:
    (folder / "facegan.toml").write_text("colour = 'blue'\n")
    error, hint = reject(cli, home, "ps")
    assert '"colour"' in error
    assert f"known: {', '.join(sorted(KEYS))}" in hint


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (("sumbit", "dcgan-mnist"), "sumbit"),
        (("submit",), "experiment"),
        (("submit", "dcgan-mnist", "--colour", "blue"), "--colour"),
        (("resume", "a", "--steps", "many"), "many"),
        (("resume", "a", "--steps", "0"), "0"),
        (("resume", "a", "--steps", "100000000000"), "100000000000"),
        (("wait", "a", "--timeout", "-1"), "-1"),
        (("wait",), "RUN"),
        (("ui", "--port", "http"), "http"),
        (("data", "delete"), "delete"),
    ],
)
def test_what_no_command_understands(arguments: tuple[str, ...], quoted: str, cli: Cli, home: Path) -> None:
    error, hint = reject(cli, home, *arguments)
    assert quoted in error
    assert hint.startswith("hint: facegan-job")
    assert hint.endswith("--help")


def test_no_number_is_no_time_to_wait(cli: Cli, home: Path) -> None:
    before = contents(home)
    said = cli("wait", "a", "--timeout", "nan")
    assert (said.code, contents(home)) == (2, before)
    assert '"nan"' in said.err


def test_help_is_no_error(cli: Cli) -> None:
    names = [command.callback.__name__ for command in program().registered_commands if command.callback]
    for arguments in ([], *([name] for name in names), ["data"]):
        said = cli(*arguments, "--help")
        assert said.code == 0
        assert "Usage: facegan-job" in said.out
    assert all(name in cli("--help").out for name in names)
