"""What a session does on somebody else's machine before it begins: on whatever machine runs the tests."""

from __future__ import annotations

import hashlib
import io
import signal
import subprocess
import sys
import tomllib
import types
import zipfile
from pathlib import Path

import pytest

from infra.start import machine

ROOT = Path(__file__).parents[3]
STORE = "s3://bucket/prefix"


def test_it_asks_for_the_versions_that_the_package_asks_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {**machine.THERE, **machine.ADDED, **machine.OF_STORE["s3"], **machine.OF_STORE["gs"]}
    declared = [line for name in ("train", "train-any", "aws", "gcp") for line in extras[name] if ">=" in line]
    assert {f"{name}>={least}" for name, least in wanted.items()} == {
        line.partition(";")[0].strip() for line in declared
    }


def looked_at(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> list[list[str]]:
    """What is installed on a machine with a place's packages, but for these."""
    usual = {**machine.THERE, **machine.ADDED, **machine.OF_STORE["s3"]}
    installs: list[list[str]] = []

    def run(typed: list[str], *, check: bool) -> types.SimpleNamespace:
        assert not check
        constraints = Path(typed[typed.index("--constraint") + 1]).read_text()
        assert {line.partition("==")[0] for line in constraints.splitlines()} == set(machine.THERE)
        installs.append(typed[typed.index("--constraint") + 2 :])
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(machine, "installed", lambda name: versions.get(name, usual.get(name)))
    monkeypatch.setattr(machine, "subprocess", types.SimpleNamespace(run=run))
    machine.packages(STORE)
    return installs


def test_what_is_there_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_at(monkeypatch) == []


def test_what_is_missing_is_added_beside_what_must_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked_at(monkeypatch, safetensors=None, boto3="1.35.99") == [["safetensors>=0.4.5", "boto3>=1.36"]]


@pytest.mark.parametrize("version", [None, "2.9.1"])
def test_an_old_tensorflow_is_not_replaced_but_refused(monkeypatch: pytest.MonkeyPatch, version: str | None) -> None:
    with pytest.raises(RuntimeError, match=r"tensorflow 2\.18 or newer is needed"):
        looked_at(monkeypatch, tensorflow=version)


def test_another_program_than_was_sent_is_not_run(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("facegan/__init__.py", "")
    machine.unpack(data.getvalue(), hashlib.sha256(data.getvalue()).hexdigest(), tmp_path)
    assert (tmp_path / "facegan/__init__.py").exists()
    with pytest.raises(RuntimeError, match="not the one that was sent"):
        machine.unpack(data.getvalue(), "0" * 64, tmp_path)


def test_versions_are_compared_as_numbers() -> None:
    numbers = machine.numbers
    assert numbers(None) < numbers("2") < numbers("2.9.1") < numbers("2.18.0rc1")


STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"asked\\n"))  # which may come while the next line writes
os.write(1, b"begun\\n")
time.sleep(60)
time.sleep(60)
"""


def test_one_that_does_not_end_when_it_is_asked_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    with machine.ended_in_time(child, -1.0, 1e6):
        assert child.stdout.readline() == b"asked\n"
    with machine.ended_in_time(child, 1e6, -1.0):
        assert child.wait(30) == -signal.SIGKILL
    assert "time is up: SIGTERM" in capsys.readouterr().out


def test_one_that_ends_in_time_is_left_alone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    with machine.ended_in_time(child, 30.0, 60.0):
        assert child.wait(30) == 0


def test_a_folder_of_the_machine_is_reached_and_a_closed_port_is_not() -> None:
    machine.reach("file:///anywhere", {})
    with pytest.raises(RuntimeError, match=r"cannot reach its store at 127\.0\.0\.1:1 "):
        machine.reach("s3://bucket?endpoint=http://127.0.0.1:1", {})
