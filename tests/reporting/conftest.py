"""What a report is made of is read from a store; here it lies in memory or in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facegan.storage import open_store
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore

for _package in ("jinja2", "matplotlib"):
    if not os.environ.get("CI"):
        pytest.importorskip(_package)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def file_store(boring_environment: Path) -> ObjectStore:
    """The store that commands use when none is named."""
    return open_store((boring_environment / "store").as_uri())
