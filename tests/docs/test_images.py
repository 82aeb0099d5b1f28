"""The pictures in docs/ are synthetic, and every one says so inside."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

IMAGES = sorted((Path(__file__).parents[2] / "docs" / "images").glob("*.png"))


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_a_picture_says_what_it_is_and_the_step_that_its_name_has(path: Path) -> None:
    with Image.open(path) as picture:
        assert "synthetic" in picture.info["Source"]
        assert picture.info["facegan:step"] in path.stem.split("-")
