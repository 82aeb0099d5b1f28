"""What must hold for every experiment and data set of the catalogue."""

from __future__ import annotations

import json
import re
from types import MappingProxyType

import pytest

from facegan import catalog
from facegan.catalog import datasets, families
from facegan.catalog.compile import choose
from facegan.catalog.entry import Entry
from facegan.errors import BadInputError
from facegan.experiment import from_json, to_json
from facegan.layout import check_run_id
from facegan.length import length

ENTRIES = list(catalog.CATALOG.values())


@pytest.fixture(params=ENTRIES, ids=lambda entry: entry.experiment.name)
def entry(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


# Family, images a step, steps, schedule, latents anew, warm-up, noise, range, learning rate, beta_1, weight decay.
REFERENCES = {
    "dcgan-mnist": ("dcgan-28", 64, 3_000, "together", False, 0, "normal", "tanh", 2e-4, 0.5, 0.0),
    "cogan-mnist": ("cogan-dense", 32, 30_000, "apart", False, 0, "normal", "tanh", 2e-4, 0.5, 0.0),
    "dcgan-mnist-keras": ("dcgan-upsampling", 32, 4_000, "apart", False, 0, "normal", "tanh", 2e-4, 0.5, 0.0),
    "cogan-mnist-edges": ("cogan-28", 128, 25_000, "mixed", True, 0, "uniform", "unit", 2e-4, 0.5, 5e-4),
    "cogan-celeba-64": ("cogan-dense", 128, 10_000, "apart", False, 0, "normal", "tanh", 2e-4, 0.5, 0.0),
    "cogan-celeba-128": ("cogan-dense", 128, 10_000, "apart", False, 0, "normal", "tanh", 2e-4, 0.5, 0.0),
    "cogan-imdb-wiki": ("cogan-dense", 128, 10_000, "apart", False, 0, "normal", "tanh", 2e-4, 0.5, 0.0),
    "cogan-faces": ("cogan-faces", 128, 50_000, "mixed", True, 0, "uniform", "tanh", 2e-4, 0.5, 1e-4),
    "cogan-faces-64": ("cogan-faces", 128, 50_000, "mixed", True, 0, "uniform", "tanh", 2e-4, 0.5, 1e-4),
    "dcgan-celeba": ("dcgan-slim", 128, 300 * 156, "apart", True, 0, "uniform", "unit", 1e-3, 0.9, 0.0),
    "dcgan-radford": ("dcgan-64", 128, 34_180, "together", True, 0, "uniform", "tanh", 2e-4, 0.5, 1e-5),
    "variant-cifar10": ("dcgan-plain", 64, 300 * 128, "apart", True, 20, "normal", "tanh", 2e-4, 0.5, 0.0),
    "variant-celeba": ("dcgan-plain", 64, 200 * 128, "apart", True, 20, "normal", "tanh", 2e-4, 0.5, 0.0),
}

# Data set, pixels, crop, rows, limit, window, mirrored, domains.
SHOWN = {
    "dcgan-mnist": ("mnist-5k", None, "none", None, None, None, False, "quarter-turn"),
    "cogan-mnist": ("mnist", None, "none", None, None, None, False, "quarter-turn"),
    "dcgan-mnist-keras": ("mnist", None, "none", None, None, None, False, "quarter-turn"),
    "cogan-mnist-edges": ("mnist", None, "none", None, None, None, False, "edges"),
    "cogan-celeba-64": ("celeba", 64, "reference", None, 20_000, None, False, "quarter-turn"),
    "cogan-celeba-128": ("celeba", 128, "reference", None, 20_000, None, False, "quarter-turn"),
    "cogan-imdb-wiki": ("imdb-wiki", 128, "none", None, None, None, False, "quarter-turn"),
    "cogan-faces": ("celeba", 132, "center", None, None, 128, True, "Smiling"),
    "cogan-faces-64": ("celeba", 66, "center", None, None, 64, True, "Smiling"),
    "dcgan-celeba": ("celeba", 64, "reference", None, 20_000, None, False, "quarter-turn"),
    "dcgan-radford": ("celeba", 64, "reference", None, None, None, False, "quarter-turn"),
    "variant-cifar10": ("cifar10", None, "none", "label=0", None, None, False, "quarter-turn"),
    "variant-celeba": ("celeba", 64, "none", None, 20_000, None, False, "quarter-turn"),
}


def test_the_whole_proof_of_concept_is_there() -> None:
    assert set(catalog.CATALOG) == set(REFERENCES) == set(SHOWN)


def test_it_trains_as_its_reference_does(entry: Entry) -> None:
    model, training, judge = entry.experiment.model, entry.experiment.training, entry.experiment.discriminator
    assert REFERENCES[entry.experiment.name] == (
        model.family,
        training.batch_size,
        training.steps,
        training.schedule,
        training.fresh_latents,
        training.warm_up,
        model.noise,
        model.range,
        judge.learning_rate,
        judge.beta_1,
        judge.weight_decay,
    )
    if entry.experiment.name != "dcgan-mnist":
        assert entry.experiment.generator == judge
    assert model.latent == 100
    assert model.first_dropout == 0.0


def test_it_shows_what_its_reference_shows(entry: Entry) -> None:
    data = entry.experiment.data
    assert SHOWN[entry.experiment.name] == (
        data.name,
        data.size,
        data.crop,
        data.only,
        data.limit,
        data.cut,
        data.mirror,
        data.domains,
    )


def test_its_length_is_said_in_images(entry: Entry) -> None:
    training = entry.experiment.training
    assert training.images is not None
    assert 0 <= length(entry.experiment).images - training.images < training.batch_size


def test_its_checkpoints_neither_stall_training_nor_fill_the_disk(entry: Entry) -> None:
    """Weights and two moments of Adam for each, float32: a hundredth of the time at 500 MB/s.

    A state that is let go of goes when the next one is committed, so that for a while there is one more than is kept.
    """
    megabytes = sum(entry.networks.values()) * 12 / 1e6
    checkpoint = entry.experiment.checkpoint
    assert checkpoint.every_s >= megabytes / 5
    assert (checkpoint.keep + 1) * megabytes < 5_000


def test_an_experiment_is_found_by_its_own_name(entry: Entry) -> None:
    assert catalog.find(entry.experiment.name) is entry


def test_its_name_can_begin_the_id_of_a_run(entry: Entry) -> None:
    assert check_run_id(f"{entry.experiment.name}-k7f3")


def test_it_survives_the_way_into_the_ledger(entry: Entry) -> None:
    assert from_json(json.loads(json.dumps(to_json(entry.experiment)))) == entry.experiment


def test_its_values_are_within_their_limits(entry: Entry) -> None:
    assert from_json(to_json(entry.experiment)) == entry.experiment


def test_its_data_and_its_family_are_known(entry: Entry) -> None:
    datasets.find(entry.experiment.data.name)
    families.require(entry.experiment.model, datasets.shape(entry.experiment.data))


def test_a_person_learns_what_it_is_and_where_it_comes_from(entry: Entry) -> None:
    assert entry.summary.strip()
    assert not entry.summary.endswith(".")
    assert re.search(r"\b(19|20)\d\d\b", entry.source), "a source has a year"
    assert entry.reproduces.strip()
    assert entry.networks
    assert all(count > 0 for count in entry.networks.values())


def test_what_it_says_is_whole_sentences_without_a_stop(entry: Entry) -> None:
    for text in (*entry.settled, *entry.notes, *entry.believed, *entry.takes):
        assert text[0].isupper() or text[0].isdigit()
        assert not text.endswith((".", " ", ","))
        assert "  " not in text
        assert len(text) > 20


@pytest.mark.parametrize("name", [name for name in catalog.CATALOG if name != "dcgan-mnist"])
def test_what_was_settled_and_what_an_epoch_is_there_is_said(name: str) -> None:
    entry = catalog.find(name)
    assert entry.settled
    if REFERENCES[name][2] not in {25_000, 50_000}:  # Caffe counts iterations
        assert any("epoch" in text for text in (*entry.notes, *entry.settled))


def test_the_compact_dcgan_is_the_designed_one() -> None:
    assert dict(catalog.find("dcgan-mnist").networks) == {"generator": 359_553, "discriminator": 36_705}


def test_the_catalogue_cannot_be_changed() -> None:
    assert isinstance(catalog.CATALOG, MappingProxyType)


@pytest.mark.parametrize("name", ["", "dcgan", "DCGAN-MNIST", "dcgan-mnist "])
def test_an_unknown_experiment_is_refused_and_the_known_ones_are_listed(name: str) -> None:
    with pytest.raises(BadInputError, match=f'unknown experiment "{name}"') as refused:
        catalog.find(name)
    assert all(known in str(refused.value.hint) for known in catalog.CATALOG)


def test_an_unknown_data_set_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(BadInputError, match='unknown data set "mnst"') as refused:
        datasets.find("mnst")
    assert str(refused.value.hint).startswith('did you mean "mnist"?')


@pytest.mark.parametrize("dataset", datasets.DATASETS.values(), ids=lambda dataset: dataset.name)
def test_a_data_set_says_where_it_comes_from_and_how_it_is_checked(dataset: datasets.Dataset) -> None:
    assert datasets.find(dataset.name) is dataset
    assert all((dataset.summary, dataset.use, dataset.licence, dataset.where))
    assert dataset.channels in {1, 3}
    assert dataset.shape is None or dataset.shape[-1] == dataset.channels
    if dataset.digest is not None:
        assert re.fullmatch(r"[0-9a-f]{64}", dataset.digest)
        assert dataset.count
    if dataset.package:
        assert dataset.file


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_compile_choice_is_settled_for_every_family(family: str, device: str) -> None:
    assert choose(family, device) in {"graph", "jit"}


def test_the_compile_choice_of_an_unknown_family_is_refused() -> None:
    with pytest.raises(BadInputError, match='unknown model family "vae"'):
        choose("vae", "cpu")
