"""Pictures are of fixed latents, and the same bytes for the same weights."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from facegan.data import Images
from facegan.experiment import Experiment
from facegan.training import samples
from facegan.training.gan import build


@pytest.mark.parametrize(
    ("name", "choice", "grids"), [("dcgan-mnist", "graph", ["grid"]), ("cogan-mnist", "jit", ["grid-a", "grid-b"])]
)
def test_samples_are_png_grids(
    name: str, choice: str, grids: list[str], make_tiny: Callable[..., Experiment], few: Images
) -> None:
    trainer = build(make_tiny(name, f"training.compile={choice}"), few)
    before = trainer.snapshot()()
    first = trainer.samples()
    assert list(first) == grids
    assert trainer.samples() == first
    assert build(make_tiny(name, f"training.compile={choice}"), few).samples() == first
    assert build(make_tiny(name, f"training.compile={choice}", "seed=1"), few).samples() != first
    assert trainer.snapshot()() == before, "looking changes nothing"
    for png in first.values():
        with Image.open(io.BytesIO(png)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (88, 58))


def test_grid_places_images_row_by_row() -> None:
    images = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 4, 4, 1), np.uint8)
    sheet = samples.grid(images)
    assert sheet.shape == (10, 16, 1)
    assert [int(sheet[0, column, 0]) for column in (0, 6, 12)] == [1, 2, 3]
    assert [int(sheet[6, column, 0]) for column in (0, 6, 12)] == [4, 5, 0]
    assert not sheet[4:6].any()


def test_ranges() -> None:
    assert samples.to_bytes(np.array([-1.0, 0.0, 1.0, 2.0], np.float32), "tanh").tolist() == [0, 128, 255, 255]
    assert samples.to_bytes(np.array([-1.0, 0.0, 0.5, 1.0], np.float32), "unit").tolist() == [0, 0, 128, 255]


def test_colours_survive() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = (255, 0, 7)
    with Image.open(io.BytesIO(samples.png(image))) as picture:
        assert picture.getpixel((0, 0)) == (255, 0, 7)
