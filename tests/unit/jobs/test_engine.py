"""An engine that is not there, or does not do as it is asked, in words that say what to look at."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import BadInputError, FaceganError, UnreachableError
from tests.cloud import servers
from tests.unit.jobs.typed import Cli

servers.require("docker")

import requests  # noqa: E402 - only where it is installed
import urllib3  # noqa: E402
from docker import errors as failures  # noqa: E402
from requests import Response  # noqa: E402

from jobs import dial, engine  # noqa: E402
from jobs.engine import ConflictError, EngineError, MissingError  # noqa: E402

RUNNING = "is Docker running? sudo systemctl start docker"
NOBODY = 12345


@pytest.fixture(autouse=True)
def no_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Docker command line without settings; the folder of those it would have."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    engine.connect.cache_clear()
    return folder


def refusal(url: str | None) -> FaceganError:
    with pytest.raises(FaceganError) as raised:
        engine.connect(url)
    return raised.value


def test_no_socket() -> None:
    said = refusal("unix:///nowhere/docker.sock")
    assert isinstance(said, UnreachableError)
    assert said.message == (
        'the Docker engine at "unix:///nowhere/docker.sock" does not answer: No such file or directory'
    )
    assert said.hint == RUNNING


def test_a_socket_behind_which_nobody_listens(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(tmp_path / "left.sock"))
    said = refusal(f"unix://{tmp_path}/left.sock")
    assert isinstance(said, UnreachableError)
    assert said.message.endswith("does not answer: Connection refused")
    assert said.hint == RUNNING


def test_a_socket_of_others(tmp_path: Path) -> None:
    path = tmp_path / "others.sock"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as others:
        others.bind(str(path))
        others.listen()
        path.chmod(0)
        with as_nobody():
            said = refusal(f"unix://{path}")
    assert isinstance(said, UnreachableError)
    assert said.message.endswith("does not answer: Permission denied")
    assert said.hint == "may you use Docker? sudo usermod -aG docker $USER, and log in again"


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Root may open everything: be somebody else meanwhile."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_machine_that_refuses() -> None:
    url = f"tcp://127.0.0.1:{servers.free_port()}"
    assert refusal(url).message == f'the Docker engine at "{url}" does not answer: Connection refused'


def test_a_server_that_is_no_engine() -> None:
    """It answers, and not as engines do."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(30)
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"

        def hang_up() -> None:
            taken, _ = server.accept()
            taken.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        said = refusal(url)
        thread.join()
    assert isinstance(said, UnreachableError)
    assert said.message.startswith(f'the Docker engine at "{url}" does not answer: ')


def test_a_machine_that_ssh_does_not_find(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What ssh says itself is on the screen, too."""
    url = "ssh://me@no-such-machine.invalid"
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\necho "ssh: Could not resolve hostname $*" >&2\nexit 255\n')
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        said = refusal(url)
    assert isinstance(said, UnreachableError)
    assert said.message.startswith(f'the Docker engine at "{url}" does not answer: ')
    assert said.hint == f"this must answer without a password: ssh {url} docker version"
    said_itself = capfd.readouterr().err
    assert "Could not resolve hostname -o BatchMode=yes" in said_itself
    assert f"-- {url} docker system dial-stdio" in said_itself


def test_no_ssh_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = refusal("ssh://me@machine")
    assert isinstance(said, UnreachableError)
    assert said.message == 'the Docker engine at "ssh://me@machine" does not answer: No such file or directory'


@pytest.mark.parametrize("url", ["gopher://x", "nonsense", "tcp://", "gpu-box:22:33"])
def test_what_is_no_engine(url: str) -> None:
    said = refusal(url)
    assert isinstance(said, BadInputError)
    assert said.message == f'"{url}" names no Docker engine'
    assert said.hint == "write ssh://me@machine, unix:///path/of/its.sock or tcp://host:2376"


@pytest.mark.parametrize("url", ["ssh://me:hush@machine", "tcp://me:hush@machine:2376"])
def test_an_engine_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    """The URL goes into the ledger."""
    said = refusal(url)
    assert isinstance(said, BadInputError)
    assert "hush" not in f"{said.message} {said.hint}"


def test_a_machine_that_takes_the_call_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ssh` itself gives up."""
    monkeypatch.setattr(dial, "CONNECT_S", 1)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"ssh://me@127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        said = refusal(url)
    assert isinstance(said, UnreachableError)
    assert said.message.startswith(f'the Docker engine at "{url}" does not answer: ')
    assert time.monotonic() - began < 19, "it takes 20 s where nothing is set"


def test_a_machine_that_lets_us_in_and_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who asks gives up, and the program that was to carry the question is ended."""
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    begun: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(dial.subprocess, "Popen", noted(subprocess.Popen, begun))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(engine, "TIMEOUT_S", 1)
    said = refusal("ssh://me@machine")
    assert isinstance(said, UnreachableError)
    assert "timed out" in said.message
    assert begun
    assert all(ssh.poll() is not None for ssh in begun)


def noted(real: Any, begun: list[Any]) -> Any:
    def begin(*given: object, **named: object) -> object:
        begun.append(real(*given, **named))
        return begun[-1]

    return begin


def test_no_answer_takes_a_minute_at_most() -> None:
    assert dial.CONNECT_S < engine.TIMEOUT_S <= 60
    assert 4 * dial.SILENT_S <= 60


def test_the_engine_that_is_meant_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///variable.sock")
    assert "unix:///variable.sock" in refusal(None).message


@pytest.mark.parametrize(
    "broken",
    [
        urllib3.exceptions.ProtocolError("Connection broken", http.client.IncompleteRead(b"half")),
        http.client.IncompleteRead(b"half"),
        requests.exceptions.ChunkedEncodingError("Connection broken"),
        failures.StreamParseError(ValueError("Unterminated string")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_answer_that_breaks_off_is_none(broken: Exception) -> None:
    with pytest.raises(UnreachableError, match='the Docker engine at "tcp://box:2376" does not answer: '):  # noqa: SIM117
        with engine.errors("tcp://box:2376"):
            raise broken


def answer(status: int, text: str) -> failures.APIError:
    """What the SDK makes of an engine's answer."""
    response = Response()
    response.status_code = status
    kind = failures.NotFound if status == 404 else failures.APIError
    return kind("said", response=response, explanation=text)


@pytest.mark.parametrize(
    ("raised", "ours", "words"),
    [
        (answer(404, "No such container: c0ffee"), MissingError, "No such container: c0ffee"),
        (answer(409, "the name is in use "), ConflictError, "the name is in use"),
        (answer(400, "invalid mount"), EngineError, "invalid mount"),
        (answer(500, "no space left"), EngineError, "no space left"),
        (failures.InvalidRepository("what?"), BadInputError, "what?"),
        (ConnectionResetError(104, "Connection reset by peer"), UnreachableError, "Connection reset by peer"),
        (TimeoutError("timed out"), UnreachableError, "timed out"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_an_engine_says_is_said(raised: Exception, ours: type[FaceganError], words: str) -> None:
    with pytest.raises(ours) as found, engine.errors():
        raise raised
    assert type(found.value) is ours
    assert words in found.value.message


def test_without_the_sdk_everything_but_docker_works(cli: Cli, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "docker"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "docker", None)  # type: ignore[arg-type]
    monkeypatch.delitem(sys.modules, "jobs.engine")
    assert {found["name"] for found in cli("backends", "--json").json()} >= {"local", "docker"}
    assert cli("ps").code == 0
    commands: list[tuple[Any, ...]] = [
        ("submit", "dcgan-mnist", "--backend", "docker", "--store", "s3://bucket"),
        ("image", "list"),
    ]
    for typed in commands:
        said = cli(*typed)
        assert said.code == 1
        assert said.err.startswith('error: "docker" is not installed here')
        assert said.hint == "hint: pip install 'facegan-job[docker]'"
    assert not [path for path in home.rglob("*") if path.is_file()]
