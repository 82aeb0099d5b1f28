"""A page says of a run what the catalogue says only where that is true of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facegan import catalog
from facegan.experiment import Experiment, override
from facegan.reporting import prose


def of(name: str, *settings: str) -> Experiment:
    return override(catalog.find(name).experiment, settings)


@pytest.mark.parametrize("name", catalog.CATALOG)
def test_an_experiment_of_the_catalogue_is_what_the_catalogue_says(name: str) -> None:
    entry = catalog.find(name)
    assert prose.of(entry.experiment) == (entry.summary, f"Source: {entry.source}")


@pytest.mark.parametrize(
    "setting",
    [
        "training.images=640",
        "training.threads=2",
        "training.compile=jit",
        "seed=7",
        "data.digest=ab12",
        "samples.every_steps=5",
        "evaluation.every_steps=5",
        "checkpoint.keep=2",
        "session.lease_s=12",
    ],
)
def test_what_is_settled_for_each_run_is_no_change(setting: str) -> None:
    assert len(prose.of(of("cogan-faces", setting))) == 2


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (["data.domains=Eyeglasses"], "data.domains"),
        (["data.limit=100", "model.latent=7"], "model.latent, data.limit"),
        (["data.domains=Male", "generator.beta_1=0.9"], "data.domains, generator.beta_1"),
    ],
)
def test_other_networks_or_data_are_said_instead(settings: list[str], changed: str) -> None:
    assert prose.of(of("cogan-faces", *settings)) == (f"A change of cogan-faces, in {changed}",)


def test_another_training_is_said_as_well() -> None:
    entry = catalog.find("cogan-faces")
    changed = of("cogan-faces", "training.schedule=apart", "generator.beta_1=0.9")
    last = "Changed: training.schedule, generator.beta_1"
    assert prose.of(changed) == (entry.summary, f"Source: {entry.source}", last)


def test_a_name_alone_makes_no_experiment() -> None:
    (said,) = prose.of(replace(of("cogan-mnist"), name="dcgan-celeba"))
    assert said.startswith("A change of dcgan-celeba, in model.family, ")


def test_of_an_experiment_with_a_name_of_its_own_nothing_is_said() -> None:
    assert prose.of(replace(of("cogan-mnist"), name="mine")) == ()
