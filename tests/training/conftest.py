"""Real digits, few of them, and trainers that are built once a module."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facegan.catalog import CATALOG, datasets
from facegan.data import Images, load
from facegan.experiment import Data, Experiment, override

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = ("training.batch_size=8", "training.threads=1", "data.name=mnist-5k", "samples.count=5", "evaluation.count=20")


def tiny(name: str, *settings: str) -> Experiment:
    """A catalogue entry made small, without a metric unless `settings` name one."""
    return override(CATALOG[name].experiment, [*TINY, "evaluation.metric=none", *settings])


@pytest.fixture(scope="session", name="make_tiny")
def make_tiny_fixture() -> Callable[..., Experiment]:
    return tiny


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return load(Data(name="mnist-5k"), tmp_path_factory.mktemp("no-data"), None, print)


@pytest.fixture(scope="session")
def few(digits: Images) -> Images:
    """100 digits, ten of each."""
    return Images(images=digits.images[::50].copy(), columns={"label": digits.labels[::50].copy()})


def noise_for(experiment: Experiment, count: int = 8) -> Images:
    """Images of noise of the shape that an experiment is prepared in, every other one with its attribute."""
    random, data = np.random.default_rng(0), experiment.data
    height, width, channels = datasets.shape(data)
    if data.cut is not None:
        height = width = data.size or data.cut
    images = random.integers(0, 256, (count, height, width, channels)).astype(np.uint8)
    numbers = np.arange(count, dtype=np.uint8)
    return Images(images=images, columns={"label": numbers % 10, data.domains: numbers % 2})


@pytest.fixture(scope="session", name="make_noise")
def make_noise_fixture() -> Callable[..., Images]:
    return noise_for


@pytest.fixture(scope="session")
def mnist_file() -> Path:
    """Full MNIST, which is never part of the project."""
    folder = Path(os.environ.get("FACEGAN_TEST_DATA", "../shared/data"))
    path = (REPOSITORY / folder) / "mnist" / "mnist.npz"
    if not path.is_file():
        missing = f"no {path}: set FACEGAN_TEST_DATA"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    return path
