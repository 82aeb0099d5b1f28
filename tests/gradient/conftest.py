"""Gradient, stood in for, with nothing in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes import gradient


@pytest.fixture
def place() -> Iterator[gradient.Gradient]:
    with gradient.serving() as found:
        yield found
