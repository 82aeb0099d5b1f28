"""A Colab of each test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fakes.colab import Colab, running
from tests.fakes.kaggle import sandbox


@pytest.fixture
def colab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colab]:
    """Running, with one account that is signed in."""
    if reason := sandbox.why_not():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("colab")) as colab:
        yield colab
