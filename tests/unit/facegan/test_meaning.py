"""Every key of an experiment has a meaning, and its type and range are said as they are checked."""

from __future__ import annotations

import typing

import pytest

from facegan import experiment, meaning
from facegan.experiment import known_keys


def test_every_key_has_a_meaning_and_nothing_else_has() -> None:
    assert set(meaning.MEANINGS) == set(known_keys())
    assert all(text.endswith(".") for text in meaning.MEANINGS.values())


@pytest.mark.parametrize(
    ("value", "said"), [(None, "none"), (True, "true"), (False, "false"), (7, "7"), (0.5, "0.5"), ("a b", "a b")]
)
def test_a_value_is_spelled_as_set_takes_it(value: object, said: str) -> None:
    assert meaning.spelled(value) == said


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("training.images", "a whole number or none, at least 1, less than 100,000,000,000"),
        ("training.schedule", "together, apart, mixed"),
        ("data.mirror", "true or false"),
        ("generator.beta_1", "a number, at least 0, less than 1"),
        ("checkpoint.every_s", "a number, more than 0, less than 1,000,000,000"),
        ("model.family", "a text"),
        ("seed", "a whole number, at least 0, less than 2,147,483,648"),
    ],
)
def test_what_a_key_takes(key: str, said: str) -> None:
    group, _, name = key.rpartition(".")
    owner = typing.get_type_hints(experiment.Experiment)[group] if group else experiment.Experiment
    assert meaning.fits(typing.get_type_hints(owner)[name], known_keys()[key].metadata) == said


def test_what_a_key_is_when_nothing_says_it() -> None:
    keys = known_keys()
    assert meaning.default(keys["training.batch_size"]) == "64"
    assert meaning.default(keys["data.limit"]) == "none"
    assert meaning.default(keys["model.family"]) == ""
