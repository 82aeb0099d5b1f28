"""Empty runs and empty tracking databases."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy.engine import Engine

from facegan import tracking
from facegan.storage.file import FileStore
from facegan.storage.memory import MemoryStore
from facegan.tracking import generator
from facegan.tracking.server import Server
from tests.tracking.world import Mlflow, Run


@pytest.fixture(autouse=True)
def quiet(boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it comes first
    """What importing `facegan.tracking` set, and the boring environment took away again."""
    for name, value in tracking.SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True, scope="module")
def no_generator() -> Iterator[None]:
    """A toy's state is no generator's. Tests of the model give one of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator, "BUILD", "no_such_framework.export:build")
        yield


@pytest.fixture(autouse=True, scope="module")
def hasty() -> Iterator[None]:
    """SQLite that does not wait for the disk: no test here pulls the plug."""

    def set_up(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    sqlalchemy.event.listen(Engine, "connect", set_up)
    yield
    sqlalchemy.event.remove(Engine, "connect", set_up)


@pytest.fixture
def memory_run() -> Run:
    return Run(store=MemoryStore()).begin()


@pytest.fixture
def file_run(tmp_path: Path) -> Run:
    return Run(store=FileStore(tmp_path / "store")).begin()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database at MLflow's present schema: making one takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Server.open(f"sqlite:///{path}")
    return path


@pytest.fixture
def new_mlflow(migrated: Path, tmp_path: Path) -> Callable[[], Mlflow]:
    """Makes empty tracking databases."""
    numbers = itertools.count()

    def make() -> Mlflow:
        path = tmp_path / f"mlflow-{next(numbers)}" / "mlflow.db"
        path.parent.mkdir()
        shutil.copyfile(migrated, path)
        return Mlflow(uri=f"sqlite:///{path}")

    return make


@pytest.fixture
def mlflow(new_mlflow: Callable[[], Mlflow]) -> Mlflow:
    return new_mlflow()


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Of child processes."""
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "tests"))), "NO_COLOR": "1"}
