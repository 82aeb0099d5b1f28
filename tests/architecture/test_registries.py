"""Names in registries are texts, so that nothing is loaded for them: every one must lead somewhere."""

from __future__ import annotations

import importlib
import importlib.util
import inspect

import pytest

from facegan import __main__, runtime, storage
from facegan.catalog import CATALOG, datasets, families
from facegan.storage.base import ObjectStore
from jobs.backends import BACKENDS
from jobs.backends.base import Backend

NEEDS = {
    "facegan.training": "tensorflow",
    "facegan.data": "numpy",
    "facegan.tracking": "mlflow",
    "facegan.storage.s3": "boto3",
    "facegan.storage.gcs": "google",
}


def resolve(name: str) -> object:
    module, colon, attribute = name.partition(":")
    assert colon, f'"{name}" is not of the form module:name'
    needed = next((package for prefix, package in NEEDS.items() if module.startswith(prefix)), None)
    if needed and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    return getattr(importlib.import_module(module), attribute)


def verbs(port: type) -> set[str]:
    return {name for name, member in vars(port).items() if inspect.isfunction(member) and not name.startswith("_")}


def unsaid(port: type) -> set[str]:
    """The verbs that mean nothing as the port has them."""
    return {name for name in verbs(port) if getattr(vars(port)[name], "__isabstractmethod__", False)}


@pytest.mark.parametrize("scheme", storage.SCHEMES)
def test_a_scheme_leads_to_a_store(scheme: str) -> None:
    found = resolve(storage.SCHEMES[scheme])
    assert isinstance(found, type)
    assert verbs(ObjectStore) == {"get", "put", "put_new", "list", "sizes", "times", "folders", "delete"}
    assert verbs(ObjectStore) <= verbs(found), "each verb is its own, none is the port's empty one"
    assert callable(getattr(found, "open", None))


@pytest.mark.parametrize("name", BACKENDS)
def test_a_backend_leads_to_one_that_calls_itself_so(name: str) -> None:
    found = resolve(BACKENDS[name])
    assert isinstance(found, type)
    assert len(unsaid(Backend)) > 8
    said = found.__mro__[: found.__mro__.index(Backend)]  # also by what backends in one account or cloud share
    assert unsaid(Backend) <= {verb for each in said for verb in vars(each) if not verb.startswith("_")}
    assert vars(found)["name"] == name


@pytest.mark.parametrize("name", __main__.COMMANDS)
def test_a_command_leads_to_a_function_of_its_arguments(name: str) -> None:
    found = resolve(__main__.COMMANDS[name])
    assert callable(found)
    assert len(inspect.signature(found).parameters) == 1


@pytest.mark.parametrize("name", [runtime.TRAINER, runtime.DATA])
def test_what_a_session_loads_late_is_there(name: str) -> None:
    assert callable(resolve(name))


@pytest.mark.parametrize("name", CATALOG)
def test_an_experiment_names_what_there_is(name: str) -> None:
    chosen = CATALOG[name].experiment
    assert chosen.name == name
    assert chosen.data.name in datasets.DATASETS
    assert chosen.model.family in families.FAMILIES
    assert CATALOG[name].networks
