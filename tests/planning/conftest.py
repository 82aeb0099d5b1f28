"""Plans are made by commands too: their fixtures, and the places that they ask."""

from __future__ import annotations

import pytest

from jobs import launch, orders
from jobs.supervision import auto
from tests.planning.backends import Places
from tests.unit.jobs.conftest import cli, file_store, folder, home

__all__ = ["cli", "file_store", "folder", "home"]


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """The places there are: none at first."""
    made = Places()
    for module in (launch, orders, auto):
        monkeypatch.setattr(module, "open_backend", made.open)
    return made
