"""What the domains of coupled networks are called."""

from __future__ import annotations

import pytest

from facegan.catalog.domains import named
from facegan.experiment import Data
from facegan.reporting.domains import shown


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Data(name="mnist"), ("as they are", "turned by 90 degrees")),
        (Data(name="mnist", domains="edges"), ("as they are", "edges")),
        (Data(name="mnist", domains="negative"), ("as they are", "negatives")),
        (Data(name="celeba", domains="Eyeglasses"), ("without Eyeglasses", "with Eyeglasses")),
        (Data(name="celeba", domains="Blond_Hair"), ("without Blond Hair", "with Blond Hair")),
        (Data(name="imdb-wiki", domains="gender"), ("gender 0", "gender not 0")),
    ],
)
def test_they_are_said_in_words(data: Data, words: tuple[str, str]) -> None:
    assert (named(data, "a"), named(data, "b")) == words
    assert (shown(data, "grid-a"), shown(data, "beside-b")) == words
    assert shown(data, "grid") == ""
