"""What is said of a setting that does not fit: what to type instead, and what may have been meant."""

from __future__ import annotations

from typing import Any

import pytest

from facegan import catalog
from facegan.errors import BadInputError
from facegan.experiment import from_json, frozen, known_keys, merged, override, to_json, unknown_key
from facegan.setting import unknown

BASE = override(catalog.find("dcgan-mnist").experiment, ["training.steps=3000"])
BOUNDED = [key for key, field in known_keys().items() if "frozen_below" in field.metadata]


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("training.stepz=5", 'did you mean "training.steps"? known: '),
        ("training.compile=jitt", 'did you mean "jit"? known: auto, graph, jit'),
        ("model.noise=zzz", "known: normal, uniform"),
        ("training.steps=x", "for example --set training.steps=1"),
        ("training.steps=0", "for example --set training.steps=1"),
        ("samples.count=0", "for example --set samples.count=64"),
        ("session.budget_s=0", "for example --set session.budget_s=1"),
        ("generator.learning_rate=high", "for example --set generator.learning_rate=0.0002"),
        ("data.mirror=x", "for example --set data.mirror=true"),
        ("data.crop=centre", 'did you mean "center"? known: center, face, none, reference'),
        ("nonsense", "for example --set training.steps=500"),
    ],
)
def test_a_refusal_says_what_to_type(setting: str, hint: str) -> None:
    with pytest.raises(BadInputError) as refused:
        override(BASE, [setting])
    assert str(refused.value.hint).startswith(hint)


@pytest.mark.parametrize("key", [key for key, field in known_keys().items() if key != "training.images"])
@pytest.mark.parametrize("value", ["-1", "x"])
def test_what_a_hint_sets_fits(key: str, value: str) -> None:
    try:
        override(BASE, [f"{key}={value}"])
    except BadInputError as refused:
        before, _, setting = str(refused.hint).partition("--set ")
        assert before == "for example " or "known: " in before
        override(BASE, [setting] if setting else [])


@pytest.mark.parametrize(
    ("table", "key", "value", "hint"),
    [
        ("training", "steps", "2", "without quotes: steps = 2"),
        ("generator", "learning_rate", "2e-4", "without quotes: learning_rate = 2e-4"),
        ("data", "mirror", "true", "without quotes: mirror = true"),
        ("training", "steps", "two", "for example --set training.steps=1"),
        ("training", "steps", 2.0, "for example --set training.steps=1"),
        ("data", "mirror", "yes", "for example --set data.mirror=true"),
        ("data", "name", 3, 'in quotes: name = "3"'),
        ("data", "only", 0, 'in quotes: only = "0"'),
    ],
)
def test_quotes_in_a_file_are_named_where_they_are_the_mistake(table: str, key: str, value: Any, hint: str) -> None:
    with pytest.raises(BadInputError) as refused:
        from_json(merged(to_json(BASE), {table: {key: value}}))
    assert refused.value.hint == hint


def test_a_table_that_is_none_is_told_how_one_begins() -> None:
    with pytest.raises(BadInputError, match='"training" must be a table') as refused:
        from_json({**to_json(BASE), "training": 5})
    assert refused.value.hint == "write [training], and its keys in the lines below"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("training.learning_rate", 'did you mean "generator.learning_rate" or "discriminator.learning_rate"? known: '),
        ("steps", 'did you mean "training.steps"? known: '),
        ("size", 'did you mean "data.size"? known: '),
        ("trainng.steps", 'did you mean "training.steps"? known: '),
        ("sead", 'did you mean "seed"? known: '),
        ("generator.lr", "known: "),
        ("", "known: "),
    ],
)
def test_what_may_have_been_meant_by_a_key(key: str, hint: str) -> None:
    error = unknown_key(key, known_keys())
    assert error.message == f'unknown key "{key}"'
    assert str(error.hint).startswith(hint)


def test_a_table_is_no_key() -> None:
    error = unknown_key("model", known_keys())
    assert error.message == '"model" is no key, but a table of them'
    assert str(error.hint).startswith("its keys: model.family, ")


def test_unknown_lists_what_is_known_in_order() -> None:
    error = unknown("thing", "bb", ["c", "b", "a"])
    assert error.message == 'unknown thing "bb"'
    assert error.hint in {"known: a, b, c", 'did you mean "b"? known: a, b, c'}
    assert unknown("thing", "b", []).hint == "there are none"


@pytest.mark.parametrize("key", BOUNDED)
def test_a_slip_of_the_finger_is_refused_and_what_a_run_has_stands(key: str) -> None:
    limits = known_keys()[key].metadata
    tree = to_json(BASE)
    table, _, name = key.rpartition(".")
    tree[table][name] = limits["below"]
    with pytest.raises(BadInputError, match=rf"{key} must be less than {limits['below']}"):
        from_json(tree)
    assert getattr(getattr(frozen(tree), table), name) == limits["below"]


def test_every_number_has_an_end_but_those_of_optimisers() -> None:
    endless = [key for key, field in known_keys().items() if {"least", "above"} & field.metadata.keys()]
    endless = [key for key in endless if "below" not in known_keys()[key].metadata]
    assert {key.rpartition(".")[2] for key in endless} == {"learning_rate", "weight_decay"}
