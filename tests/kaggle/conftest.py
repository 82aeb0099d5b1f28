"""A Kaggle of each test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fakes.kaggle import Kaggle, running, sandbox


@pytest.fixture
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kaggle]:
    """Running, with one user and her token; an hour of it is a minute."""
    if reason := sandbox.why_not():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("kaggle")) as kaggle:
        yield kaggle
