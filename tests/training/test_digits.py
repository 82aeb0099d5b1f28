"""The judge of generated digits knows real ones, is part of the state, and is taught once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from facegan.data import Images
from facegan.experiment import Experiment
from facegan.metrics import digits as metric
from facegan.metrics.digits import SURE, DigitsSure
from facegan.training.gan import build

SETTINGS = ("training.compile=graph", "evaluation.metric=digits-sure")


@pytest.fixture(scope="module")
def judge(digits: Images) -> DigitsSure:
    taught = DigitsSure(0)
    taught.train(digits)
    return taught


def test_it_reads_digits_it_has_not_seen(judge: DigitsSure, mnist_file: Path) -> None:
    with np.load(mnist_file, allow_pickle=False) as arrays:
        images, labels = arrays["x_test"][..., np.newaxis], arrays["y_test"]
    chances = judge.probabilities(images)
    right, sure = chances.argmax(axis=1) == labels, chances.max(axis=1) >= SURE
    assert right.mean() > 0.96
    assert sure.mean() > 0.85
    assert right[sure].mean() > 0.99


def test_it_is_not_sure_of_what_is_no_digit(judge: DigitsSure) -> None:
    random = np.random.default_rng(5)
    nothing = [
        random.integers(0, 256, (200, 28, 28, 1)).astype(np.uint8),
        np.full((1, 28, 28, 1), 127, np.uint8),
        np.zeros((1, 28, 28, 1), np.uint8),
    ]
    assert [judge.measure([images])["digits-sure"] for images in nothing] == [0.0, 0.0, 0.0]


def test_pairs(judge: DigitsSure, digits: Images) -> None:
    some = digits.images[::100]
    assert judge.measure([some])["digits-sure"] > 0.85
    both = judge.measure([some, some])
    assert both["pairs-agree"] == 1.0
    assert both["digits-sure-a"] == both["digits-sure-b"] == both["digits-sure"]
    assert judge.measure([some, digits.images[-50:]])["pairs-agree"] < 0.2


def test_the_judge_is_part_of_the_state_and_taught_once(
    make_tiny: Callable[..., Experiment], few: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric, "STEPS", 30)
    untouched = build(make_tiny("dcgan-mnist", *SETTINGS), few)
    untouched.advance(1)
    at_one = untouched.snapshot()()
    verdict = untouched.evaluate()
    assert untouched.snapshot()() == at_one, "judging changes nothing"
    untouched.advance(1)
    assert "classifier/digit/kernel" in safetensors.numpy.load(at_one)

    def refuse(*_: object) -> None:
        pytest.fail("a restored trainer must not teach its judge again")

    early = build(make_tiny("dcgan-mnist", *SETTINGS), few)
    early.evaluate()  # taught before the first step here, at it there: the same
    assert early.advance(1)
    assert early.snapshot()() == at_one

    monkeypatch.setattr(DigitsSure, "train", refuse)
    restored = build(make_tiny("dcgan-mnist", *SETTINGS), few)
    restored.restore(at_one)
    assert restored.evaluate() == verdict
    restored.advance(1)
    assert restored.snapshot()() == untouched.snapshot()()


def test_coupled_domains_are_judged_apart_too(
    make_tiny: Callable[..., Experiment], few: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric, "STEPS", 2)
    settings = ("training.compile=graph", "evaluation.metric=digits-sure")
    verdict = build(make_tiny("cogan-mnist", *settings), few).evaluate()
    assert list(verdict) == ["digits-sure", "digits-sure-a", "digits-sure-b", "pairs-agree"]


def test_no_metric_no_verdict(make_tiny: Callable[..., Experiment], few: Images) -> None:
    assert build(make_tiny("dcgan-mnist", "training.compile=graph"), few).evaluate() == {}
