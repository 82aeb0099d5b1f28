"""Arrays that hold a part of their set: who may train on one without a word, and who is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.prepared import Manifest
from facegan.storage import ObjectStore
from jobs import recipe
from jobs.shelf import Copy
from tests.fakes import datasets
from tests.fakes.datasets import imagined
from tests.unit.jobs.typed import Cli

WHOLE = imagined(digest="1" * 64)
EVEN = imagined(digest="2" * 64, domains="Smiling", count=500, left_over=500)
PLAIN, COUPLED = "variant-celeba", "cogan-celeba-64"


def resolve(named: str, *settings: str, there: Sequence[Manifest], sets: Collection[str] = ()) -> Experiment:
    def look(name: str | None = None, _: str | None = None, /) -> Sequence[Copy]:
        return [Copy(manifest=each, here=True, stored=False) for each in there if name in {None, each.name}]

    return recipe.resolve(named, ["data.crop=none", *settings], device="cpu", cores=2, look=look, there=sets)


@pytest.mark.parametrize(
    ("named", "settings"),
    [(PLAIN, ()), (PLAIN, ("data.domains=Smiling",)), (COUPLED, ()), (COUPLED, ("data.domains=Male",))],
)
def test_one_that_is_no_fair_share_is_not_taken_unasked(named: str, settings: tuple[str, ...]) -> None:
    with pytest.raises(BadInputError, match="as many images with an attribute as without: 500 of") as raised:
        resolve(named, *settings, there=[EVEN])
    assert "domains Smiling, 222222222222" in raised.value.message
    assert raised.value.hint == (
        "facegan-job data prepare celeba --source PATH --size 64; or --set data.digest=222222222222 takes it as it is"
    )
    assert resolve(named, *settings, "data.digest=222222222222", there=[EVEN]).data.digest == EVEN.digest
    assert resolve(named, *settings, there=[WHOLE, EVEN]).data.digest == WHOLE.digest


def test_it_is_taken_for_its_own_domains() -> None:
    assert resolve(COUPLED, "data.domains=Smiling", there=[EVEN]).data.digest == EVEN.digest
    with pytest.raises(BadInputError, match="there are 2 of prepared"):
        resolve(COUPLED, "data.domains=Smiling", there=[WHOLE, EVEN])


@pytest.mark.parametrize("named", [PLAIN, COUPLED])
def test_one_of_which_nothing_was_left_over_is_its_set(named: str) -> None:
    whole = replace(EVEN, left_over=0)
    assert resolve(named, there=[whole]).data.digest == whole.digest
    assert whole.part == ""
    with pytest.raises(BadInputError, match="as many images with an attribute"):
        resolve(named, there=[replace(EVEN, left_over=None)])


def test_a_place_that_has_the_set_prepares_it_whole() -> None:
    assert resolve(PLAIN, there=[EVEN], sets=["celeba"]).data.digest is None
    assert resolve(PLAIN, there=[EVEN, WHOLE], sets=["celeba"]).data.digest == WHOLE.digest
    assert resolve(COUPLED, "data.domains=Smiling", there=[EVEN], sets=["celeba"]).data.digest == EVEN.digest


def test_submit_says_what_part_it_trains_on(cli: Cli, home: Path, file_store: ObjectStore) -> None:
    datasets.fill(file_store, home, name="some", size=64, side=64, count=4, limit=4, left_over=3)
    words = ("submit", "dcgan-celeba", "--name", "mine", "--set", "data.name=some", "--set", "data.crop=none")
    said = cli(*words, "--dry-run")
    assert said.code == 0
    assert "of some a part was prepared: limit 4" in said.err
    row = next(line for line in cli("data", "list").out.splitlines() if line.startswith("some"))
    assert row.split()[:6] == ["some", "4", "64x64x3", "none", "limit", "4"]
