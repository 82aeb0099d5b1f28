"""What a session does on a machine before it begins, and what is put there: on whatever machine runs the tests."""

from __future__ import annotations

import hashlib
import io
import json
import tomllib
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.start import machine
from jobs.backends.colab import command, naming, parcel
from tests.colab.submitting import order

ROOT = Path(__file__).parents[2]
STORE = "s3://bucket/prefix"


def test_it_asks_for_the_versions_that_the_package_asks_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {**machine.THERE, **machine.ADDED, **machine.OF_STORE["s3"], **machine.OF_STORE["gs"]}
    declared = [line for name in ("train", "train-any", "aws", "gcp") for line in extras[name] if ">=" in line]
    assert {f"{name}>={least}" for name, least in wanted.items()} == {
        line.partition(";")[0].strip() for line in declared
    }


def looked_at(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> list[list[str]]:
    """What is installed on a machine with Colab's packages, but for these."""
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


def test_equal_orders_make_equal_bytes() -> None:
    asked: dict[str, Any] = {"run_url": STORE, "number": 3, "gpu": None}
    whole = parcel.pack(asked, b"a wheel")
    assert whole == parcel.pack(dict(reversed(asked.items())), b"a wheel")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert json.loads(archive.read("order.json")) == asked
        assert archive.read("wheel") == b"a wheel"


def test_a_name_is_the_sessions_alone() -> None:
    mine = naming.name(order(3, run="my_run.1"))
    assert mine.startswith("facegan-my-run-1-")
    assert naming.number_of(mine, order(run="my_run.1").run_url) == 3
    assert naming.number_of(mine, order(run="my-run-1").run_url) is None


def test_how_to_sign_in_is_said_always(tmp_path: Path) -> None:
    """The command's help and its manual name different defaults."""
    here = {"HOME": str(tmp_path)}
    assert command.strategy(here) == "oauth2"
    assert command.strategy({**here, "GOOGLE_APPLICATION_CREDENTIALS": "/a"}) == "adc"
    defaults = tmp_path / ".config/gcloud" / command.DEFAULT_CREDENTIALS
    defaults.parent.mkdir(parents=True)
    defaults.touch()
    assert command.strategy(here) == "adc"
    token = tmp_path / command.SIGNED_IN_BY
    token.parent.mkdir(parents=True)
    token.touch()
    assert command.strategy(here) == "oauth2"
