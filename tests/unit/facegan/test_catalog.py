"""What must hold for every experiment and data set of the catalogue."""

from __future__ import annotations

import json
import re
from types import MappingProxyType

import pytest

from facegan import catalog
from facegan.catalog import datasets
from facegan.catalog.compile import LAYERS, choose
from facegan.catalog.entry import Entry
from facegan.errors import BadInputError
from facegan.experiment import from_json, to_json
from facegan.layout import check_run_id

ENTRIES = list(catalog.CATALOG.values())


@pytest.fixture(params=ENTRIES, ids=lambda entry: entry.experiment.name)
def entry(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


def test_the_experiments_of_the_main_job_are_there() -> None:
    assert {"dcgan-mnist", "cogan-mnist"} <= set(catalog.CATALOG)


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
    assert entry.experiment.model.family in LAYERS


def test_a_person_learns_what_it_is_and_where_it_comes_from(entry: Entry) -> None:
    assert entry.summary.strip()
    assert not entry.summary.endswith(".")
    assert re.search(r"\b(19|20)\d\d\b", entry.source), "a source has a year"
    assert entry.networks
    assert all(count > 0 for count in entry.networks.values())


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
    assert re.fullmatch(r"[0-9a-f]{64}", dataset.digest)
    assert (dataset.url is None) != (dataset.package is None)
    assert dataset.url is None or dataset.url.startswith("https://")
    assert min(dataset.count, dataset.height, dataset.width, dataset.channels) > 0
    assert dataset.licence


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("family", LAYERS)
def test_the_compile_choice_is_settled_for_every_family(family: str, device: str) -> None:
    assert choose(family, device) in {"graph", "jit"}


def test_the_compile_choice_of_an_unknown_family_is_refused() -> None:
    with pytest.raises(BadInputError, match='unknown model family "vae"'):
        choose("vae", "cpu")
