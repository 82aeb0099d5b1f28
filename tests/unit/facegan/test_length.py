"""Lengths: in images shown, epochs and steps, and how they are said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facegan import catalog
from facegan.catalog.datasets import DATASETS
from facegan.experiment import Data, override
from facegan.length import Length, duration, expected, images_of, length


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Length(steps=46_800, batch_size=128, count=20_000),
            "5,990,400 images shown, 300 epochs of 20,000, 46,800 ste",
        ),
        (
            Length(steps=3_000, batch_size=64, count=5_000),
            "192,000 images shown, 38.4 epochs of 5,000, 3,000 steps of 64",
        ),
        (Length(steps=1, batch_size=64), "64 images shown, 1 step of 64"),
        (Length(steps=2, batch_size=1, count=3), "2 images shown, 0.67 epochs of 3, 2 steps of 1"),
        (Length(steps=0, batch_size=64, count=5_000), "0 images shown, 0 epochs of 5,000, 0 steps of 64"),
        (
            Length(steps=10_000, batch_size=128, domains=2, count=20_000),
            "1,280,000 images of each domain shown, 128 epochs of 20,000 in both, 10,000 steps of 128",
        ),
    ],
)
def test_a_length_in_words(found: Length, said: str) -> None:
    assert str(found).startswith(said)


def test_two_domains_show_twice_as_many_images_of_one_set() -> None:
    one, two = (Length(steps=100, batch_size=10, domains=domains, count=500) for domains in (1, 2))
    assert (one.images, two.images) == (1_000, 1_000)
    assert (one.epochs, two.epochs) == (2.0, 4.0)


def test_epochs_are_not_guessed() -> None:
    assert Length(steps=100, batch_size=10).epochs is None


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_every_experiment_of_the_catalogue_is_as_long_as_it_says(name: str) -> None:
    entry = catalog.find(name)
    found = length(entry.experiment)
    assert found.domains == (2 if "generators" in entry.networks else 1)
    assert found.steps == entry.experiment.training.steps
    assert 0 <= found.images - (entry.experiment.training.images or found.images) < found.batch_size


def test_so_many_steps_of_an_experiment() -> None:
    dcgan = catalog.find("dcgan-mnist").experiment
    assert length(dcgan, steps=5, count=320) == Length(steps=5, batch_size=64, count=320)
    assert length(dcgan, steps=0).images == 0


def test_what_a_run_counted_is_believed() -> None:
    data = Data(name="mnist-5k", only="label=3", limit=700)
    assert images_of(data, {"count": 500}) == 500
    assert images_of(data, {"name": "mnist-5k", "digest": "x"}) == 500
    assert images_of(replace(data, only="hat=1"), {"name": "mnist-5k", "digest": "x"}) is None
    assert images_of(Data(name="mnist-5k"), {"name": "mnist-5k"}) == 5_000
    assert images_of(Data(name="mnist-5k"), {"count": None}) == 5_000


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (Data(name="mnist"), 60_000),
        (Data(name="mnist", limit=100), 100),
        (Data(name="mnist", limit=100_000), 60_000),
        (Data(name="celeba", limit=20_000), 20_000),
        (Data(name="celeba"), DATASETS["celeba"].count),
        (Data(name="my-faces"), None),
        (Data(name="cifar10"), None),
        (Data(name="cifar10", only="label=0"), 5_000),
        (Data(name="cifar10", only="label=0", limit=100), 100),
        (Data(name="mnist-5k", only="label=9"), 500),
        (Data(name="my-faces", only="label=0", limit=100), None),
        (Data(name="mnist", only="label=0"), None),
        (Data(name="mnist", only="label=0", limit=100), None),
    ],
)
def test_how_many_there_will_be_is_said_only_where_it_is_known(data: Data, count: int | None) -> None:
    assert expected(data) == count


def test_a_longer_batch_shows_more_images_in_as_many_steps() -> None:
    longer = override(catalog.find("dcgan-mnist").experiment, ["training.steps=10", "training.batch_size=100"])
    assert length(longer).images == 1_000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"),
        (12.4, "12s"),
        (12.6, "13s"),
        (1_716.7, "28m 37s"),
        (3_599.6, "1h 00m"),
        (200, "3m 20s"),
        (3_600, "1h 00m"),
        (15_840, "4h 24m"),
        (90_000, "1d 1h"),
    ],
)
def test_a_duration_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said
