"""Every test of a command works with a home and a store of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from facegan.storage import ObjectStore, open_store
from facegan.storage.memory import MemoryStore
from jobs.context import Context
from tests.unit.jobs import world
from tests.unit.jobs.typed import Cli


@pytest.fixture
def home(boring_environment: Path) -> Path:
    return boring_environment


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def context(home: Path, store: MemoryStore) -> Context:
    return world.context(home, store)


@pytest.fixture
def file_store(home: Path) -> ObjectStore:
    """The store that commands use when none is named."""
    return open_store((home / "store").as_uri())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user is: a folder with nothing in it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str], folder: Path) -> Cli:
    assert folder.exists()
    return Cli(capfd)


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which TensorFlow is not installed."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # type: ignore[arg-type]
