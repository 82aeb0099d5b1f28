"""Data that nobody has prepared, at a place that has them itself: left open, and settled by the run's first session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.storage.memory import MemoryStore
from jobs import counting, ingredients, recipe
from jobs.shelf import Copy
from tests.fakes.datasets import imagined

THERE = {"celeba": "somebody/celeba", "cifar10": "somebody/cifar10"}


def resolve(named: str, *settings: str, copies: Sequence[Copy] = ()) -> recipe.Experiment:
    def look(name: str | None = None, _wanted: str | None = None, /) -> Sequence[Copy]:
        return [copy for copy in copies if copy.manifest.name == name]

    return recipe.resolve(named, settings, device="cpu", cores=2, look=look, there=THERE)


def test_the_digest_stays_open_where_the_place_has_the_set_and_nobody_has_prepared_it(tmp_path: Path) -> None:
    chosen = resolve("dcgan-celeba")
    assert chosen.data.digest is None
    assert chosen.data.size == 64
    ingredients.require_data(chosen.data, None, MemoryStore(), THERE)
    assert counting.images(chosen.data, None, tmp_path, MemoryStore()) is None
    assert counting.array(chosen.data, tmp_path, MemoryStore()) is None


def test_an_array_that_fits_is_taken_all_the_same() -> None:
    made = imagined(digest="1" * 64, crop="reference")
    assert resolve("dcgan-celeba", copies=[Copy(manifest=made, here=False, stored=True)]).data.digest == "1" * 64


def test_one_that_does_not_fit_leaves_the_other_to_be_prepared() -> None:
    other = imagined(digest="1" * 64, size=128, crop="reference")
    assert resolve("dcgan-celeba", copies=[Copy(manifest=other, here=True, stored=True)]).data.digest is None


@pytest.mark.parametrize("setting", ["data.digest=12", "data.crop=face", "data.name=my-faces"])
def test_what_a_session_there_could_not_make_is_refused(setting: str) -> None:
    with pytest.raises(BadInputError):
        resolve("dcgan-celeba", setting)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["data.only=colour=1"], "colour"),
        (["data.cut=40"], "no window"),
        (["data.size=none", "data.name=celeba"], "large"),
    ],
)
def test_what_can_be_told_beforehand_is(settings: Sequence[str], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        resolve("variant-cifar10", *settings)
