"""The pixel agreement of coupled images, and which experiments may ask for which metric."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facegan.catalog import fitting
from facegan.data import Images, domains
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.metrics import METRICS
from facegan.metrics.agreement import Agreement
from facegan.training.gan import build


@pytest.mark.parametrize("look", [domains.edges, domains.negative])
def test_what_is_made_of_the_first_domain_agrees_wholly(
    look: Callable[[np.ndarray], np.ndarray], digits: Images
) -> None:
    first = digits.images[::20]
    verdict = Agreement(look).measure([first, look(first)])
    assert verdict["agreement"] == 1.0
    assert 0.5 < verdict["agreement-unpaired"] < 0.95


def test_it_is_a_share_of_pixels() -> None:
    first = np.zeros((300, 4, 4, 3), np.uint8)
    second = np.full_like(first, 255)
    second[:150, :, :, 0] = 127  # a third of the values of half of the images on the other side
    assert Agreement(domains.negative).measure([first, second])["agreement"] == pytest.approx(5 / 6)
    second[:150, :, :, 0] = 128
    assert Agreement(domains.negative).measure([first, second])["agreement"] == 1.0


def test_a_trainer_measures_it(make_tiny: Callable[..., Experiment], few: Images) -> None:
    settings = ("training.compile=graph", "data.domains=edges", "evaluation.metric=agreement", "evaluation.count=70")
    trainer = build(make_tiny("cogan-mnist", *settings), few)
    before = trainer.snapshot()()
    verdict = trainer.evaluate()
    assert list(verdict) == ["agreement", "agreement-unpaired"]
    assert all(0.0 < share < 1.0 for share in verdict.values())
    assert trainer.evaluate() == verdict
    assert trainer.snapshot()() == before


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("cogan-mnist", ["evaluation.metric=agreement"], 'they are "quarter-turn"'),
        ("cogan-mnist", ["evaluation.metric=agreement", "data.domains=label"], 'they are "label"'),
        ("dcgan-mnist", ["evaluation.metric=agreement", "data.domains=edges"], '"dcgan-28" has one'),
        (
            "cogan-mnist",
            ["evaluation.metric=digits-sure", "data.domains=edges"],
            'cannot read the second domain, "edges"',
        ),
    ],
)
def test_domains_that_a_metric_cannot_judge(
    name: str, settings: list[str], message: str, make_tiny: Callable[..., Experiment], few: Images
) -> None:
    with pytest.raises(BadInputError, match=message):
        build(make_tiny(name, "training.compile=graph", *settings), few)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shown", [*domains.LOOKS, "label"])
def test_submit_refuses_what_a_session_would(
    metric: str, shown: str, make_tiny: Callable[..., Experiment], few: Images
) -> None:
    """`facegan.catalog.fitting` knows neither metrics nor images, and must come to the same verdict."""
    experiment = make_tiny("cogan-mnist", f"data.domains={shown}", f"evaluation.metric={metric}")
    verdicts = [
        refuses(lambda: fitting.require(experiment, tuple(few.columns))),
        refuses(lambda: METRICS[metric](experiment, few, domains.pair(few, shown))),
    ]
    assert verdicts in ([False, False], [True, True])


def refuses(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except BadInputError:
        return True
    return False


@pytest.mark.parametrize(
    ("shape", "columns", "cut", "found"),
    [
        ((28, 28, 1), ("smiling",), "none", "28x28x1, without labels"),
        ((28, 28, 3), ("label",), "none", "28x28x3"),
        ((32, 32, 1), ("label",), "28", "32x32x1"),
        ((28, 28, 1), ("label",), "24", "28x28x1"),
    ],
)
def test_images_that_are_no_labelled_digits(
    shape: tuple[int, int, int], columns: tuple[str, ...], cut: str, found: str, make_tiny: Callable[..., Experiment]
) -> None:
    images = Images(images=np.zeros((4, *shape), np.uint8), columns={name: np.zeros(4, np.uint8) for name in columns})
    experiment = make_tiny("dcgan-mnist", f"data.cut={cut}")
    with pytest.raises(BadInputError, match=f"needs labelled digits of 28x28x1, .*{found}"):
        METRICS["digits-sure"](experiment, images, domains.single(images))


def test_negative_digits_are_read_as_digits(
    make_tiny: Callable[..., Experiment], few: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.metrics.digits.STEPS", 100)
    experiment = make_tiny("cogan-mnist", "data.domains=negative")
    judge = METRICS["digits-sure"](experiment, few, domains.pair(few, "negative"))
    judge.train(few)
    verdict = judge.measure([few.images, 255 - few.images])
    assert verdict["pairs-agree"] == 1.0
    assert verdict["digits-sure-a"] == verdict["digits-sure-b"] > 0.2
