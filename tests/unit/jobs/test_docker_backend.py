"""The docker backend before it asks an engine: which one it means, and what it can reach from where."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from jobs import context as contexts
from jobs import orders, settings
from jobs.backends.docker import DockerBackend, backend
from jobs.settings import KEYS, Settings
from tests.unit.jobs.test_address import contexts_of
from tests.unit.jobs.typed import Cli

BOX = "ssh://me@gpu-box"


@pytest.fixture
def settled(home: Path, folder: Path) -> Settings:
    return settings.load(environment={"FACEGAN_HOME": str(home)}, folder=folder)


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user, whoever runs the tests."""
    monkeypatch.setattr(backend, "_user", lambda: (1000, 100))


def test_the_engine_is_the_flags_then_the_settings_then_the_variables(
    settled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DockerBackend(settled).host == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///variable.sock")
    assert DockerBackend(settled).host == "unix:///variable.sock"
    settled = dataclasses.replace(settled, host="ssh://set@box")
    assert DockerBackend(settled).host == "ssh://set@box"
    assert DockerBackend(settled, BOX).host == BOX


def test_the_engine_is_found_out_once(settled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session is recorded where it was started, though somebody changes the variable meanwhile."""
    chosen = DockerBackend(settled)
    before = chosen.host
    monkeypatch.setenv("DOCKER_HOST", BOX)
    assert chosen.host == before
    assert DockerBackend(settled).host == BOX


def test_a_context_of_another_machine_is_another_machine(
    settled: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    contexts_of(tmp_path, monkeypatch, box={"Host": BOX})
    assert DockerBackend(settled).host == BOX
    assert list(DockerBackend(settled).capabilities().stores) == ["s3", "gs"]


def test_a_context_that_is_gone_is_said_where_a_session_is_asked_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only looks at what there is sees the rest of it."""
    monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    assert {one["name"] for one in cli("backends", "--json").json()} >= {"local", "docker"}
    for store in ("s3://bucket", "file:///tmp/store"):
        said = cli("submit", "dcgan-mnist", "--backend", "docker", "--store", store, "--dry-run")
        assert said.code == 2
        assert 'Docker\'s context "gone" does not exist' in said.err
    said = cli("image", "list")
    assert (said.code, said.err.splitlines()) == (
        2,
        ['error: Docker\'s context "gone" does not exist', "hint: docker context ls; unset DOCKER_CONTEXT"],
    )


@pytest.mark.parametrize("host", [None, "unix:///run/user/1000/docker.sock"])
def test_an_engine_here_reaches_a_folder(host: str | None, settled: Settings) -> None:
    able = DockerBackend(settled, host).capabilities()
    assert list(able.stores) == ["file", "s3", "gs"]
    assert not able.instead


@pytest.mark.parametrize("host", [BOX, "tcp://10.0.0.1:2376"])
def test_an_engine_elsewhere_does_not(host: str, settled: Settings) -> None:
    with pytest.raises(BadInputError, match='sessions on backend "docker" cannot reach the store "file://') as raised:
        orders.place(contexts.real(settled), "docker", None, host)
    assert raised.value.hint == "the folder is on this machine, and the engine is not: choose --store s3://… or gs://…"


def test_root_is_told_why_it_does_not(settled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "_user", lambda: (0, 0))
    assert list(DockerBackend(settled).capabilities().stores) == ["s3", "gs"]
    with pytest.raises(BadInputError) as raised:
        orders.place(contexts.real(settled), "docker", None)
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("you are root, and a session in a container never is: type the same as another")
    with pytest.raises(BadInputError) as raised:
        orders.place(contexts.real(settled), "docker", None, BOX)
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("the folder is on this machine"), "as somebody else it would not, either"


def test_a_gpu_of_this_machine_is_no_gpu_of_another(settled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.nvidia, "names", lambda: ["T4", "A100"])
    assert list(DockerBackend(settled).capabilities().gpus) == ["all", "T4", "A100"]
    assert list(DockerBackend(settled, BOX).capabilities().gpus) == ["all"]


def test_the_local_backend_has_no_other_machine(cli: Cli) -> None:
    said = cli("submit", "dcgan-mnist", "--host", BOX, "--dry-run")
    assert said.code == 2
    assert said.err.splitlines() == [
        f'error: backend "local" is this machine alone, not "{BOX}"',
        "hint: leave --host out",
    ]


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_is_read_from_its_variable_and_from_its_file(key: str, tmp_path: Path) -> None:
    environment = {"FACEGAN_HOME": str(tmp_path), f"FACEGAN_{key.upper()}": "variable"}
    assert getattr(settings.load(environment=environment, folder=tmp_path), key) == "variable"
    (tmp_path / "facegan.toml").write_text(f"{key} = {json.dumps('file')}\n")
    del environment[f"FACEGAN_{key.upper()}"]
    assert getattr(settings.load(environment=environment, folder=tmp_path), key) == "file"


@pytest.mark.parametrize("key", ["role", "image", "host", "memory", "cpus"])
def test_a_setting_that_nobody_made_leaves_the_choice(key: str, settled: Settings) -> None:
    assert not getattr(settled, key)


def test_init_writes_down_only_what_is_settled(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGAN_MEMORY", "4g")
    assert cli("init").code == 0
    written = (folder / "facegan.toml").read_text()
    assert 'memory = "4g"' in written
    assert "cpus" not in written
