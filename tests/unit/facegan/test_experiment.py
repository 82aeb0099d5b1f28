"""Experiments: every key can be set, every value is checked, and nothing is lost on the way to the ledger."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan import catalog
from facegan.errors import BadInputError, SessionExit
from facegan.experiment import (
    Experiment,
    Training,
    from_json,
    known_keys,
    merged,
    override,
    to_json,
)
from facegan.setting import is_nothing

BASE = override(catalog.find("dcgan-mnist").experiment, ["training.steps=3000"])

GOOD: dict[str, tuple[str, object]] = {
    "model.family": ("cogan-dense", "cogan-dense"),
    "model.latent": ("7", 7),
    "model.noise": ("uniform", "uniform"),
    "model.range": ("unit", "unit"),
    "model.first_dropout": ("0.2", 0.2),
    "data.name": ("mnist", "mnist"),
    "data.size": ("64", 64),
    "data.crop": ("face", "face"),
    "data.only": ("label=0", "label=0"),
    "data.limit": ("20000", 20000),
    "data.cut": ("128", 128),
    "data.mirror": ("True", True),
    "data.domains": ("Smiling", "Smiling"),
    "data.digest": ("ab12", "ab12"),
    "training.steps": ("500", 500),
    "training.images": ("640", 640),
    "training.batch_size": ("1", 1),
    "training.schedule": ("mixed", "mixed"),
    "training.fresh_latents": ("true", True),
    "training.warm_up": ("20", 20),
    "training.compile": ("jit", "jit"),
    "training.threads": ("0", 0),
    "training.replicas": ("1", 1),
    "training.steps_per_call": ("10", 10),
    "generator.learning_rate": ("1e-3", 0.001),
    "generator.beta_1": ("0", 0.0),
    "generator.weight_decay": ("5e-4", 0.0005),
    "discriminator.learning_rate": ("2", 2.0),
    "discriminator.beta_1": ("0.999", 0.999),
    "discriminator.weight_decay": ("0", 0.0),
    "samples.every_steps": ("1", 1),
    "samples.count": ("100", 100),
    "evaluation.metric": ("none", "none"),
    "evaluation.every_steps": ("3", 3),
    "evaluation.count": ("4", 4),
    "checkpoint.every_s": ("0.5", 0.5),
    "checkpoint.every_steps": ("25", 25),
    "checkpoint.keep": ("2", 2),
    "checkpoint.keep_every": ("1000", 1000),
    "session.heartbeat_s": ("1", 1.0),
    "session.lease_s": ("3.5", 3.5),
    "session.stall_s": ("60", 60.0),
    "session.budget_s": ("3600", 3600.0),
    "seed": ("2147483647", 2147483647),
}

BAD: list[tuple[str, str]] = [
    ("training.steps=0", 'training.steps must be at least 1, not "0"'),
    ("model.latent=1000000000000", 'model.latent must be less than 100000, not "1000000000000"'),
    ("samples.count=100000", 'samples.count must be less than 100000, not "100000"'),
    ("training.steps=-5", 'training.steps must be at least 1, not "-5"'),
    ("training.steps=1.5", 'training.steps takes a whole number, not "1.5"'),
    ("training.steps=1e3", 'training.steps takes a whole number, not "1e3"'),
    ("training.steps=", 'training.steps takes a whole number, not ""'),
    ("training.steps=none", 'training.steps takes a whole number, not "none"'),
    ("training.steps=many", 'training.steps takes a whole number, not "many"'),
    ("training.images=0", 'training.images must be at least 1, not "0"'),
    ("training.images=1e6", 'training.images takes a whole number or "none", not "1e6"'),
    ("training.warm_up=-1", 'training.warm_up must be at least 0, not "-1"'),
    ("training.schedule=both", 'unknown training.schedule "both"'),
    ("training.fresh_latents=1", 'training.fresh_latents takes true or false, not "1"'),
    ("data.mirror=yes", 'data.mirror takes true or false, not "yes"'),
    ("data.mirror=", 'data.mirror takes true or false, not ""'),
    ("data.mirror=none", 'data.mirror takes true or false, not "none"'),
    ("data.size=0", 'data.size must be at least 1, not "0"'),
    ("data.crop=centre", 'unknown data.crop "centre"'),
    ("data.limit=all", 'data.limit takes a whole number or "none", not "all"'),
    ("model.first_dropout=1", 'model.first_dropout must be less than 1.0, not "1.0"'),
    ("generator.weight_decay=-1e-4", 'generator.weight_decay must be at least 0.0, not "-0.0001"'),
    ("training.compile=fast", 'unknown training.compile "fast"'),
    ("model.noise=gaussian", 'unknown model.noise "gaussian"'),
    ("model.range=", 'unknown model.range ""'),
    ("generator.learning_rate=0", 'generator.learning_rate must be more than 0, not "0.0"'),
    ("generator.learning_rate=nan", 'generator.learning_rate must be finite, not "nan"'),
    ("generator.learning_rate=inf", 'generator.learning_rate must be finite, not "inf"'),
    ("generator.learning_rate=1e999", 'generator.learning_rate must be finite, not "inf"'),
    ("generator.beta_1=1", 'generator.beta_1 must be less than 1.0, not "1.0"'),
    ("generator.beta_1=-0.1", 'generator.beta_1 must be at least 0.0, not "-0.1"'),
    ("discriminator.learning_rate=high", 'discriminator.learning_rate takes a number, not "high"'),
    ("checkpoint.keep=1", 'checkpoint.keep must be at least 2, not "1"'),
    ("checkpoint.every_s=0", 'checkpoint.every_s must be more than 0, not "0.0"'),
    ("checkpoint.every_steps=0", 'checkpoint.every_steps must be at least 1, not "0"'),
    ("checkpoint.every_steps=x", 'checkpoint.every_steps takes a whole number or "none", not "x"'),
    ("session.budget_s=x", 'session.budget_s takes a number or "none", not "x"'),
    ("session.lease_s=none", 'session.lease_s takes a number, not "none"'),
    ("seed=-1", 'seed must be at least 0, not "-1"'),
    ("seed=2147483648", 'seed must be less than 2147483648, not "2147483648"'),
    ("training.stepz=5", 'unknown key "training.stepz"'),
    ("steps=5", 'unknown key "steps"'),
    ("name=other", 'unknown key "name"'),
    ("training=5", '"training" is no key, but a table of them'),
    ("training.steps.more=5", 'unknown key "training.steps.more"'),
    ("__class__=5", 'unknown key "__class__"'),
    ("=5", 'unknown key ""'),
    ("training.steps", '"training.steps" is not of the form key=value'),
    ("", '"" is not of the form key=value'),
]


def value_of(experiment: Experiment, key: str) -> object:
    found: object = experiment
    for name in key.split("."):
        found = getattr(found, name)
    return found


def test_every_key_is_tried_here() -> None:
    assert set(GOOD) == set(known_keys())


@pytest.mark.parametrize("key", GOOD)
def test_a_key_that_is_set_has_that_value_and_no_other_is_touched(key: str) -> None:
    text, value = GOOD[key]
    changed = override(BASE, [f"{key}={text}"])
    assert value_of(changed, key) == value
    assert type(value_of(changed, key)) is type(value)
    follows = {key, "training.steps"} if key == "training.images" else {key}
    others = {other: value_of(changed, other) for other in GOOD if other not in follows}
    assert others == {other: value_of(BASE, other) for other in GOOD if other not in follows}


def test_the_names_that_scripts_use_are_keys() -> None:
    assert set(known_keys()) >= {
        "data.name",
        "training.steps",
        "training.batch_size",
        "checkpoint.every_s",
        "checkpoint.every_steps",
        "session.heartbeat_s",
        "session.lease_s",
        "seed",
    }


@pytest.mark.parametrize(("setting", "message"), BAD, ids=[setting for setting, _ in BAD])
def test_what_does_not_fit_is_refused_with_the_value_in_quotes(setting: str, message: str) -> None:
    with pytest.raises(BadInputError) as refused:
        override(BASE, [setting])
    assert refused.value.message == message
    assert refused.value.exit_code is SessionExit.BAD_INPUT


@pytest.mark.parametrize("key", ["checkpoint.every_steps", "session.budget_s", "data.only", "training.images"])
@pytest.mark.parametrize("text", ["none", "None", "NONE", ""])
def test_an_optional_key_can_be_emptied(key: str, text: str) -> None:
    assert value_of(override(BASE, [f"{key}=5", f"{key}={text}"]), key) is None


@pytest.mark.parametrize("text", ["none", "None", ""])
def test_an_optional_key_can_be_emptied_in_a_file_too(text: str) -> None:
    tree = to_json(override(BASE, ["checkpoint.every_steps=5", "data.only=label=0"]))
    tree["checkpoint"]["every_steps"] = tree["data"]["only"] = text
    assert (from_json(tree).checkpoint.every_steps, from_json(tree).data.only) == (None, None)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False"])
def test_a_boolean_is_read_in_any_case(text: str) -> None:
    assert override(BASE, [f"data.mirror={text}"]).data.mirror is (text.lower() == "true")


def test_later_settings_win_and_spaces_do_not_matter() -> None:
    changed = override(BASE, ["training.steps=5", " training.steps = 7 "])
    assert changed.training.steps == 7


def test_a_value_may_hold_an_equals_sign() -> None:
    assert override(BASE, ["data.name=a=b"]).data.name == "a=b"


def test_nothing_set_is_nothing_changed() -> None:
    before = copy.deepcopy(BASE)
    assert override(BASE, []) == BASE
    override(BASE, ["training.steps=5"])
    assert before == BASE


def test_an_experiment_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        BASE.training.steps = 5


# The length: in images shown or in steps


@pytest.mark.parametrize(("images", "batch", "steps"), [(640, 64, 10), (641, 64, 11), (1, 64, 1), (640, 1, 640)])
def test_steps_follow_from_images_and_are_never_too_few(images: int, batch: int, steps: int) -> None:
    training = Training(images=images, batch_size=batch)
    assert (training.images, training.steps) == (images, steps)
    assert images <= training.steps * batch < images + batch


@pytest.mark.parametrize(
    ("settings", "images", "steps"),
    [
        (["training.images=640"], 640, 10),
        (["training.images=640", "training.batch_size=32"], 640, 20),
        (["training.batch_size=32", "training.images=640"], 640, 20),
        (["training.images=640", "training.steps=7"], None, 7),
        (["training.steps=7", "training.images=640"], 640, 10),
        (["training.images=640", "training.images=none"], None, 3000),
        (["training.steps=7", "training.batch_size=32"], None, 7),
    ],
)
def test_the_length_said_last_is_the_length(settings: list[str], images: int | None, steps: int) -> None:
    training = override(BASE, settings).training
    assert (training.images, training.steps) == (images, steps)


def test_images_without_a_number_of_steps_are_a_length() -> None:
    tree = to_json(BASE)
    del tree["training"]["steps"]
    tree["training"]["images"] = 640
    assert from_json(tree).training.steps == 10
    tree["training"]["images"] = None
    with pytest.raises(BadInputError, match=r'lacks "training\.steps"') as refused:
        from_json(tree)
    assert refused.value.hint == 'or its length in "training.images"'


def test_images_beyond_any_float_are_counted_exactly() -> None:
    assert Training(images=10**400 + 1, batch_size=10).steps == 10**399 + 1


# One recipe laid over another


def test_what_is_laid_over_changes_those_keys_alone() -> None:
    over = {"name": "mine", "seed": 7, "training": {"batch_size": 16}, "data": {"mirror": True}}
    tree = merged(to_json(BASE), over)
    expected = to_json(override(BASE, ["seed=7", "training.batch_size=16", "data.mirror=true"]))
    assert tree == {**expected, "name": "mine"}
    assert from_json(tree).name == "mine"


def test_the_recipe_below_is_not_touched() -> None:
    below = to_json(BASE)
    merged(below, {"training": {"steps": 7}})
    assert below == to_json(BASE)


@pytest.mark.parametrize(
    ("below", "over", "images", "steps"),
    [
        ("training.images=640", {"steps": 7}, None, 7),
        ("training.steps=7", {"images": 640}, 640, 10),
        ("training.images=640", {"batch_size": 32}, 640, 20),
    ],
)
def test_a_length_laid_over_takes_the_place_of_the_other(below: str, over: Any, images: int, steps: int) -> None:
    training = from_json(merged(to_json(override(BASE, [below])), {"training": over})).training
    assert (training.images, training.steps) == (images, steps)


@pytest.mark.parametrize("below", [{}, to_json(BASE)], ids=["from scratch", "over another"])
def test_a_length_said_twice_is_refused(below: Any) -> None:
    with pytest.raises(BadInputError, match="the length is said twice") as refused:
        merged(below, {"training": {"steps": 7, "images": 640}})
    assert refused.value.hint
    for nothing in ("none", "None", "", None):
        training = from_json(merged(to_json(BASE), {"training": {"steps": 7, "images": nothing}})).training
        assert (training.images, training.steps) == (None, 7), "that is no length"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"training": 5}, '"training" must be a table of keys, not "5"'),
        ({"seed": {"a": 1}}, "seed takes a whole number"),
        ({"speed": 1}, 'unknown key "speed"'),
        ({"training": {"stepz": 1}}, 'unknown key "training.stepz"'),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_read(over: Any, message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        from_json(merged(to_json(BASE), over))


# There and back


def fitting(wanted: Any, limits: typing.Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a field."""
    if "choices" in limits:
        return st.sampled_from(limits["choices"])
    kinds = typing.get_args(wanted) or (wanted,)
    least, above, below = limits.get("least"), limits.get("above"), limits.get("below")
    strategies: dict[type, st.SearchStrategy[Any]] = {
        type(None): st.none(),
        bool: st.booleans(),
        str: st.text() if len(kinds) == 1 else st.text().filter(lambda text: not is_nothing(text)),
        int: st.integers(least, None if below is None else below - 1),
        float: st.floats(
            min_value=least if above is None else above,
            exclude_min=above is not None,
            max_value=below,
            exclude_max=below is not None,
            allow_nan=False,
            allow_infinity=False,
        ),
    }
    return st.one_of([strategies[kind] for kind in kinds])


def built(kind: type[Any]) -> st.SearchStrategy[Any]:
    types = typing.get_type_hints(kind)
    return st.builds(
        kind,
        **{
            field.name: built(types[field.name])
            if dataclasses.is_dataclass(types[field.name])
            else fitting(types[field.name], field.metadata)
            for field in dataclasses.fields(kind)
        },
    )


@given(built(Experiment))
def test_any_experiment_survives_the_way_into_the_ledger_and_back(experiment: Experiment) -> None:
    assert from_json(json.loads(json.dumps(to_json(experiment)))) == experiment


@given(built(Experiment), st.sampled_from(sorted(GOOD)))
def test_any_value_can_be_set_from_its_text(experiment: Experiment, key: str) -> None:
    value = value_of(experiment, key)
    if isinstance(value, str) and value != value.strip():
        return  # spaces around a value do not matter
    changed = override(BASE, [f"{key}={value}"])
    assert value_of(changed, key) == value


@given(st.text(), st.text())
def test_any_text_is_set_or_refused_and_never_crashes(key: str, value: str) -> None:
    try:
        override(BASE, [f"{key}={value}"])
    except BadInputError as refused:
        assert '"' in refused.message  # noqa: PT017


@given(st.sampled_from(sorted(GOOD)), st.text())
def test_any_value_of_a_key_is_set_or_refused_and_never_crashes(key: str, value: str) -> None:
    try:
        override(BASE, [f"{key}={value}"])
    except BadInputError as refused:
        assert key in refused.message  # noqa: PT017


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_any_json_value_of_a_key_is_taken_or_refused_and_never_crashes(key: str, value: object) -> None:
    tree = to_json(BASE)
    group, _, name = key.rpartition(".")
    (tree[group] if group else tree)[name] = value
    try:
        from_json(tree)
    except BadInputError as refused:
        assert key in refused.message  # noqa: PT017


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.pop("data"), 'the experiment lacks "data"'),
        (lambda tree: tree["training"].pop("steps"), 'the experiment lacks "training.steps"'),
        (lambda tree: tree.update(speed=1), 'unknown key "speed"'),
        (lambda tree: tree["data"].update(nam="x"), 'unknown key "data.nam"'),
        (lambda tree: tree.update(training=5), '"training" must be a table of keys, not "5"'),
        (lambda tree: tree["data"].update(mirror=1), 'data.mirror takes true or false, not "1"'),
        (lambda tree: tree["data"].update(mirror="true"), 'data.mirror takes true or false, not "true"'),
        (lambda tree: tree["training"].update(images=True), 'training.images takes a whole number or "none", not'),
        (lambda tree: tree["training"].update(steps=True), 'training.steps takes a whole number, not "True"'),
        (lambda tree: tree["training"].update(steps="5"), 'training.steps takes a whole number, not "5"'),
        (lambda tree: tree["training"].update(steps=5.0), 'training.steps takes a whole number, not "5.0"'),
        (lambda tree: tree["training"].update(steps=None), 'training.steps takes a whole number, not "None"'),
    ],
)
def test_a_table_that_is_no_experiment_is_refused(change: Any, message: str) -> None:
    tree = to_json(BASE)
    change(tree)
    with pytest.raises(BadInputError, match=re.escape(message)):
        from_json(tree)


def test_what_a_table_leaves_out_has_its_default() -> None:
    tree = {
        "name": "own",
        "model": {"family": "dcgan-28"},
        "data": {"name": "mnist"},
        "training": {"steps": 5},
        "generator": {"learning_rate": 1},
    }
    experiment = from_json(tree)
    assert (experiment.training.batch_size, experiment.generator.beta_1, experiment.seed) == (64, 0.5, 0)
    assert experiment.generator.learning_rate == 1.0
    assert isinstance(experiment.generator.learning_rate, float)


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["above", "below"])
def test_a_whole_number_too_large_for_a_float_is_refused(value: int) -> None:
    tree = to_json(BASE)
    tree["session"]["lease_s"] = value
    with pytest.raises(BadInputError, match=r"session\.lease_s must be finite"):
        from_json(tree)
