"""The networks are those of the layer tables."""

from __future__ import annotations

import numpy as np
import pytest

from facegan import models
from facegan.catalog import CATALOG, datasets
from facegan.catalog.compile import LAYERS, choose
from facegan.catalog.entry import Entry
from facegan.errors import BadInputError
from facegan.experiment import Model
from facegan.models.network import Networks, trainable, variables

DIGIT = (28, 28, 1)


def of(name: str, seed: int = 0) -> Networks:
    return models.build(CATALOG[name].experiment.model, DIGIT, seed)


@pytest.mark.parametrize("entry", CATALOG.values(), ids=lambda entry: entry.experiment.name)
def test_parameter_counts(entry: Entry) -> None:
    data = datasets.find(entry.experiment.data.name)
    shape = (data.height, data.width, data.channels)
    assert models.build(entry.experiment.model, shape, 0).counts() == dict(entry.networks)


def test_cogan_shares_by_identity() -> None:
    networks = of("cogan-mnist")
    for kind, shared, own in ((networks.generators, 12, 8), (networks.discriminators, 4, 2)):
        first, second = ({id(v) for v in variables([model])} for model in kind)
        assert len(first & second) == shared
        assert len(first - second) == len(second - first) == own
    assert sum(int(np.prod(v.shape)) for v in trainable(networks.generators)) == 2_820_896
    assert networks.generators[0].count_params() == 1_493_520


@pytest.mark.parametrize("name", CATALOG)
def test_weights_are_a_function_of_the_seed(name: str) -> None:
    one, same, other = of(name), of(name), of(name, seed=1)
    for role in one.roles:
        kernels = [
            [v.value.numpy() for v in variables(networks.roles[role]) if v.name == "kernel"]
            for networks in (one, same, other)
        ]
        for a, b, c in zip(*kernels, strict=True):
            assert np.array_equal(a, b)
            assert not np.array_equal(a, c)


@pytest.mark.parametrize("name", CATALOG)
def test_images_and_logits(name: str) -> None:
    networks = of(name)
    latent = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32)
    for generator, discriminator in zip(networks.generators, networks.discriminators, strict=True):
        images = generator(latent).numpy()
        assert images.shape == (3, *DIGIT)
        assert np.abs(images).max() <= 1.0
        assert discriminator(images).shape == (3, 1)


def test_the_unit_range_ends_in_a_sigmoid() -> None:
    networks = models.build(Model(family="dcgan-28", range="unit"), DIGIT, 0)
    images = networks.generators[0](np.ones((2, 100), np.float32)).numpy()
    assert images.min() >= 0.0


def test_refusals() -> None:
    with pytest.raises(BadInputError, match='unknown model family "dcgan-29"'):
        models.build(Model(family="dcgan-29"), DIGIT, 0)
    with pytest.raises(BadInputError, match='28x28x1, not "32x32x3"'):
        models.build(Model(family="dcgan-28"), (32, 32, 3), 0)


def test_every_family_has_a_compile_choice() -> None:
    assert LAYERS.keys() == models.FAMILIES.keys()
    assert (choose("dcgan-28", "cpu"), choose("cogan-dense", "cpu")) == ("graph", "jit")
    with pytest.raises(BadInputError, match="unknown model family"):
        choose("dense", "cpu")
