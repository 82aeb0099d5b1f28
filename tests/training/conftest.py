"""Real digits, few of them, and trainers that are built once a module."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.catalog import CATALOG
from facegan.data import Images, load
from facegan.experiment import Experiment, override

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
    return load("mnist-5k", tmp_path_factory.mktemp("no-cache"))


@pytest.fixture(scope="session")
def few(digits: Images) -> Images:
    """100 digits, ten of each."""
    return Images(images=digits.images[::50].copy(), labels=digits.labels[::50].copy())


@pytest.fixture(scope="session")
def mnist_file() -> Path:
    """Full MNIST, which is never part of the project."""
    folder = Path(os.environ.get("FACEGAN_TEST_DATA", "../shared/data"))
    path = (REPOSITORY / folder) / "mnist" / "mnist.npz"
    if not path.is_file():
        pytest.skip(f"no {path}: set FACEGAN_TEST_DATA")
    return path
