"""Coupled networks share variables, not only their counts, and load back from a file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray

from facegan import models
from facegan.catalog import CATALOG, datasets
from facegan.models.network import Networks, named_variables, variables
from facegan.training import export

# Weights that both networks of a kind have, and those of one alone: names, and parameters.
SHARED = {
    "cogan-mnist": ({"trunk"}, 160_512, {"trunk"}, 401_920 + 131_328),
    "cogan-mnist-edges": ({"trunk"}, 7_833_476 + 3_840, {"trunk"}, 426_553),
    "cogan-faces": ({"trunk"}, 12_779_520 + 6 * 1_984, {"judge"}, 14_812_417),
}


@pytest.mark.parametrize("name", SHARED)
def test_sharing_is_by_identity(name: str) -> None:
    networks = of(name)
    generators, of_generators, discriminators, of_discriminators = SHARED[name]
    for kind, parts, count in (
        (networks.generators, generators, of_generators),
        (networks.discriminators, discriminators, of_discriminators),
    ):
        first, second = ({id(weight): weight for weight in model.weights} for model in kind)
        common = [weight for key, weight in first.items() if key in second]
        assert {weight.path.split("/")[0] for weight in common} == parts
        assert sum(int(np.prod(weight.shape)) for weight in common) == count
        own = [
            [weight for key, weight in one.items() if key not in other]
            for one, other in ((first, second), (second, first))
        ]
        assert [weight.shape for weight in own[0]] == [weight.shape for weight in own[1]]
        assert [weight.path.replace("-a", "-b") for weight in own[0]] == [weight.path for weight in own[1]]


def test_a_change_in_what_is_shared_is_seen_in_both_domains() -> None:
    networks = of("cogan-mnist-edges")
    latent = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)

    def images() -> list[NDArray[np.float32]]:
        return [generator(latent).numpy() for generator in networks.generators]

    def moved(path: str) -> list[bool]:
        """Which domains' images a change of a variable changes."""
        before = images()
        variable = named_variables(networks)[f"generators/{path}"]
        variable.assign(variable + 1.0)
        return [not np.array_equal(old, new) for old, new in zip(before, images(), strict=True)]

    assert moved("painter-a/up28-a/bias") == [True, False]
    assert moved("trunk/up13/kernel") == [True, True]


def test_the_logit_is_the_difference_of_the_two_units() -> None:
    """So the losses on it are those of a softmax over the two: the authors' own."""
    judge = of("cogan-mnist-edges").discriminators[0]
    head = judge.get_layer("judge")
    images = np.random.default_rng(0).uniform(size=(5, 28, 28, 1)).astype(np.float32)
    scores = head.get_layer("trunk")(judge.get_layer("eye-a")(images)).numpy().astype(np.float64)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    logits = judge(images).numpy().astype(np.float64)
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-logits[:, 0])), softmax[:, 1], rtol=1e-5)


@pytest.mark.parametrize("name", ["cogan-mnist", "cogan-mnist-edges", "cogan-faces-64"])
def test_the_generators_load_back_from_a_file_and_compute_the_same(name: str, tmp_path: Path) -> None:
    experiment = CATALOG[name].experiment
    trained = models.build(experiment.model, datasets.shape(experiment.data), 1)
    for variable in variables(trained.generators):
        variable.assign(variable + 0.01)  # moving statistics and slopes that are not the first ones
    state = safetensors.numpy.save({key: v.value.numpy() for key, v in named_variables(trained).items()})
    export.generator(experiment, state).save(tmp_path / "generator.keras")
    latent = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    loaded = keras.models.load_model(tmp_path / "generator.keras")(latent)
    for image, generator in zip(loaded, trained.generators, strict=True):
        np.testing.assert_array_equal(image.numpy(), generator(latent).numpy())


def of(name: str) -> Networks:
    experiment = CATALOG[name].experiment
    return models.build(experiment.model, datasets.shape(experiment.data), 0)
