"""A Colab of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.backends.colab.backend import ColabBackend
from tests.colab.submitting import backend
from tests.fakes import rooted
from tests.fakes.colab import Colab, running


@pytest.fixture
def colab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colab]:
    """Running, with one account that is signed in."""
    rooted.require()
    with running(tmp_path_factory.mktemp("colab")) as colab:
        yield colab


@pytest.fixture
def here(colab: Colab, tmp_path: Path) -> ColabBackend:
    return backend(tmp_path, colab.bin)
