"""Short real trainings. One of them is left alone; all others must end like it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.outcome import Outcome
    from tests.e2e.runs import User

MISSING = [name for name in ("tensorflow", "safetensors", "mlxtend") if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not MISSING:
        return
    skip = pytest.mark.skip(reason=f"{', '.join(MISSING)} not installed")
    for item in items:
        if Path(__file__).parent in Path(item.fspath).parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def server() -> None:
    """The server that sessions are forked from."""
    from tests.e2e import children

    children.ready()


@pytest.fixture
def user(server: None, boring_environment: Path) -> User:  # noqa: ARG001 - it has to be there
    from tests.e2e.runs import User

    return User(home=boring_environment)


@pytest.fixture(scope="session")
def untouched(server: None, tmp_path_factory: pytest.TempPathFactory) -> Outcome:  # noqa: ARG001 - it has to be there
    """What becomes of the run when nobody touches it."""
    from tests.e2e.runs import STEPS, User

    alone = User(home=tmp_path_factory.mktemp("untouched"))
    alone.create()
    assert alone.session() == 0
    assert alone.is_whole()
    found = alone.outcome()
    assert found.step == STEPS
    assert sorted(found.metrics) == list(range(1, STEPS + 1))
    assert len(found.samples) == 2 * 3  # a grid, and real images beside generated ones
    return found
