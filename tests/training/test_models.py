"""Every network of the catalogue: its parameters, its images, its logits."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from facegan import models
from facegan.catalog import CATALOG, datasets, families, layers
from facegan.catalog.entry import Entry
from facegan.catalog.families import Family
from facegan.errors import BadInputError
from facegan.experiment import Model, override
from facegan.models import summary
from facegan.models.network import Networks, Shape, named_variables, trainable, variables

TRAINABLE = {
    "cogan-mnist": (2_820_896, 533_762),
    "cogan-mnist-edges": (7_833_476 + 2 * 4_609, 426_553 + 2 * 520),
    "dcgan-mnist-keras": (855_809, 392_833),
    "cogan-celeba-64": (26_404_096, 6_423_810),
    "cogan-celeba-128": (101_975_296, 25_298_178),
    "cogan-faces": (12_854_982, 14_912_449),
    "dcgan-celeba": (3_584_323, 694_625),
    "variant-cifar10": (1_007_363, 522_497),
    "variant-celeba": (1_157_635, 2_149_249),
}


@pytest.fixture(scope="module", params=CATALOG.values(), ids=lambda entry: entry.experiment.name)
def entry(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


@pytest.fixture(scope="module")
def networks(entry: Entry) -> Networks:
    return build(entry.experiment.model, datasets.shape(entry.experiment.data))


@functools.lru_cache(maxsize=1)
def build(model: Model, shape: Shape) -> Networks:
    """Built once for all that is asked of them: the largest have 127 million parameters."""
    return models.build(model, shape, 0)


def test_parameter_counts(entry: Entry, networks: Networks) -> None:
    assert networks.counts() == dict(entry.networks)
    learnt = [sum(int(np.prod(v.shape)) for v in trainable(kind)) for kind in networks.roles.values()]
    if entry.experiment.name in TRAINABLE:
        assert learnt == list(TRAINABLE[entry.experiment.name])
    else:
        assert all(few <= count for few, count in zip(learnt, entry.networks.values(), strict=True))


def test_the_catalogue_has_their_layers(entry: Entry, networks: Networks) -> None:
    built, written = summary.layers(networks), layers.of(entry.experiment.name)
    assert built == written, "python -m facegan.models.summary > facegan/catalog/layers.json"
    counted = {role: sum(layer.parameters for layer in table) for role, table in written.items()}
    assert counted == dict(entry.networks)


def test_keras_counts_the_same_in_one_network(networks: Networks) -> None:
    if len(networks.generators) == 1:
        assert list(networks.counts().values()) == [
            kind[0].count_params() for kind in (networks.generators, networks.discriminators)
        ]


def test_every_variable_has_a_name_of_its_own(networks: Networks) -> None:
    named = named_variables(networks)
    every = [variable for kind in networks.roles.values() for variable in variables(kind)]
    assert [id(variable) for variable in named.values()] == [id(variable) for variable in every]


def test_images_and_logits(entry: Entry, networks: Networks) -> None:
    shape = datasets.shape(entry.experiment.data)
    latent = np.random.default_rng(0).normal(size=(3, 100)).astype(np.float32)
    for generator, discriminator in zip(networks.generators, networks.discriminators, strict=True):
        images = generator(latent).numpy()
        assert images.shape == (3, *shape)
        assert images.dtype == np.float32
        assert not np.array_equal(images[0], images[1])
        assert (images.min() < 0.0) == (entry.experiment.model.range == "tanh")
        assert np.abs(images).max() <= 1.0
        logits = discriminator(images).numpy()
        assert logits.shape == (3, 1)
        assert logits.dtype == np.float32
        assert np.abs(discriminator(1e6 * images).numpy()).max() > 1.0, "a sigmoid would never say so"


def test_dropout_is_for_training_alone_and_each_time_another(networks: Networks) -> None:
    drawn = [v for v in variables(networks.discriminators) if v.name == "seed_generator_state"]
    for judge in networks.discriminators:
        image = np.random.default_rng(0).normal(size=(4, *judge.input_shape[1:])).astype(np.float32)
        assert np.array_equal(judge(image, training=False).numpy(), judge(image, training=False).numpy())
        before = [v.value.numpy() for v in drawn]
        first, second = (judge(image, training=True).numpy() for _ in range(2))
        assert np.array_equal(first, second) == (not drawn)
        assert all(not np.array_equal(v.value.numpy(), old) for v, old in zip(drawn, before, strict=True))


SMALLEST = {
    "cogan-28": (28, 28, 1),
    "cogan-dense": (28, 28, 1),
    "cogan-faces": (64, 64, 3),
    "dcgan-28": (28, 28, 1),
    "dcgan-64": (64, 64, 3),
    "dcgan-plain": (32, 32, 3),
    "dcgan-slim": (64, 64, 3),
    "dcgan-upsampling": (28, 28, 1),
}


@pytest.mark.parametrize(
    ("family", "made", "hint"),
    [
        ("cogan-28", "28x28x1", "data.name=mnist"),
        ("cogan-faces", "64x64x3 or 128x128x3", "data.size=64"),
        ("dcgan-28", "28x28x1", "data.name=mnist"),
        ("dcgan-64", "64x64x3", "data.size=64"),
        ("dcgan-plain", "32x32x3 or 64x64x3", "data.size=32"),
        ("dcgan-slim", "64x64x3", "data.size=64"),
        ("dcgan-upsampling", "28x28x1", "data.name=mnist"),
    ],
)
def test_a_shape_that_a_family_does_not_make_is_refused(family: str, made: str, hint: str) -> None:
    with pytest.raises(BadInputError) as refused:
        models.build(Model(family=family), (48, 40, 3), 0)
    assert str(refused.value) == f'"{family}" makes images of {made}, not "48x40x3"'
    assert str(refused.value.hint).endswith(f"--set {hint}")


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(BadInputError, match='unknown model family "dcgan-29"'):
        models.build(Model(family="dcgan-29"), (28, 28, 1), 0)


def test_the_first_dropout_is_the_annex_s() -> None:
    chosen = override(CATALOG["variant-celeba"].experiment, ["model.first_dropout=0.2"])
    built = models.build(chosen.model, datasets.shape(chosen.data), 0)
    assert built.counts() == dict(CATALOG["variant-celeba"].networks), "it has no parameters"
    kinds = [type(layer).__name__ for layer in built.discriminators[0].layers]
    assert kinds[:4] == ["Conv2D", "LeakyReLU", "Dropout", "Conv2D"]
    assert kinds.count("Dropout") == 2
    with pytest.raises(BadInputError, match=r"has no place for a model\.first_dropout"):
        models.build(Model(family="dcgan-slim", first_dropout=0.2), (64, 64, 3), 0)


@pytest.mark.parametrize(("family", "shape"), SMALLEST.items())
def test_latents_and_range_are_the_experiment_s_choice(family: str, shape: Shape) -> None:
    used = {entry.experiment.model.range for entry in CATALOG.values() if entry.experiment.model.family == family}
    other = "unit" if used == {"tanh"} else "tanh"
    latent = np.random.default_rng(0).normal(size=(2, 7)).astype(np.float32)
    for generator in models.build(Model(family=family, latent=7, range=other), shape, 0).generators:
        assert (generator(latent).numpy().min() < 0.0) == (other == "tanh")


def test_every_family_is_known_without_being_built() -> None:
    assert families.FAMILIES.keys() == models.FAMILIES.keys() == SMALLEST.keys()


@pytest.mark.parametrize("family", families.FAMILIES.values(), ids=lambda family: family.name)
def test_a_family_is_what_is_known_of_it(family: Family) -> None:
    """Each shape that it is said to make is one that it makes; so with its domains, its layers and its Dropout."""
    for shape in family.shapes or ((28, 28, 1), (48, 40, 3)):
        built = models.build(Model(family=family.name, latent=3), shape, 0)
        assert len(built.generators) == len(built.discriminators) == family.domains
        assert {each.output_shape[1:] for each in built.generators} == {shape}
        assert {each.input_shape[1:] for each in built.discriminators} == {shape}
        kernels = {len(v.shape) for v in variables(built.discriminators) if v.name == "kernel"}
        assert kernels == ({2, 4} if family.works_on == "convolution" else {2})
    softened = models.FAMILIES[family.name](Model(family=family.name, latent=3, first_dropout=0.2), shape, 0)
    more = len(variables(softened.discriminators)) - len(variables(built.discriminators))
    assert more == int(family.first_dropout), "a Dropout has a variable: where its random numbers are"
