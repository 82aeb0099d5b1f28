"""Real pictures, which are never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; in CI it has to be there."""
    folder = (REPOSITORY / os.environ.get("FACEGAN_TEST_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        missing = f"no {folder}: set FACEGAN_TEST_DATA"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return folder
