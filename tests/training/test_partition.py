"""Every experiment of the catalogue: no bit depends on how its steps are grouped, stopped and taken up.

Those of test_steps.py are put through more there.
"""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from facegan.catalog import CATALOG, datasets
from facegan.catalog.compile import choose
from facegan.data import Images
from facegan.experiment import Experiment, override
from facegan.trainer import Trainer
from facegan.training import samples
from facegan.training.gan import build

TINY = ("training.batch_size=2", "training.threads=1", "samples.count=2", "evaluation.metric=none")
LONG = {  # what takes a minute, or gigabytes
    "cogan-celeba-128": "the program of cogan-celeba-64 with 1.5 GB of variables",
    "cogan-imdb-wiki": "the program of cogan-celeba-128",
}
ELSEWHERE = ("dcgan-mnist", "cogan-mnist")
NAMES = [
    pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in CATALOG if name not in ELSEWHERE
]
STEPS = 3


def settled(name: str, *settings: str) -> Experiment:
    """The catalogue's experiment on two images a step; compiled as on a CPU."""
    experiment = CATALOG[name].experiment
    return override(experiment, [*TINY, f"training.compile={choose(experiment.model.family, 'cpu')}", *settings])


@pytest.fixture(autouse=True)
def _one_at_a_time() -> Iterator[None]:
    """Compiled functions are rings of objects: the last experiment's gigabytes go before the next one's come."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_takes_the_same_steps_however_they_are_cut(name: str, make_noise: Callable[..., Images]) -> None:
    """3 = 3x1 = 1+2, the last in another trainer that takes up what the first one left."""
    images = make_noise(settled(name))
    single = build(settled(name), images)
    initial = digest(single)
    metrics = list(single.advance(1))
    at_one = single.snapshot()()
    metrics += [row for _ in range(STEPS - 1) for row in single.advance(1)]
    assert single.step == STEPS
    assert all(np.isfinite(value) for row in metrics for value in row.values())
    final = digest(single)
    assert final not in {initial, hashlib.sha256(at_one).hexdigest()}
    look(single, datasets.shape(CATALOG[name].experiment.data))
    assert digest(single) == final, "looking changes nothing"
    del single
    gc.collect()

    chunked = build(settled(name, f"training.steps_per_call={STEPS}"), images)
    assert digest(chunked) == initial
    assert chunked.advance(STEPS) == metrics
    assert digest(chunked) == final
    chunked.restore(at_one)
    assert chunked.step == 1
    assert digest(chunked) == hashlib.sha256(at_one).hexdigest()
    assert chunked.advance(STEPS - 1) == metrics[1:]
    assert digest(chunked) == final


def look(trainer: Trainer, shape: tuple[int, int, int]) -> None:
    """Its pictures are grids of images of that shape, and say of themselves that they are synthetic."""
    found = trainer.samples()
    grids = [png for name, png in found.items() if name.startswith("grid")]
    assert len(grids) == len(found) / 2
    for png in grids:
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.info["Source"] == samples.SYNTHETIC
            assert picture.info["facegan:step"] == str(STEPS)
            assert picture.mode == ("L" if shape[2] == 1 else "RGB")
            assert all(side >= shape[0] for side in picture.size)


def digest(trainer: Trainer) -> str:
    return hashlib.sha256(trainer.snapshot()()).hexdigest()
