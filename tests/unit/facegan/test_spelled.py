"""The commands that prepare data are spelled with every option they need, and a shell reads them as they are meant."""

from __future__ import annotations

import shlex

import pytest

from facegan.experiment import Data
from facegan.prepared import Manifest
from facegan.prepared.spelled import bring_line, described, options, prepare_line
from tests.fakes.datasets import imagined

URL = "s3://bucket/gans?endpoint=http://here:9000&region=x"


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (imagined(), ["--size 64"]),
        (imagined(size=8, limit=40, crop="center"), ["--size 8", "--crop center", "--limit 40"]),
        (imagined(domains="Bags Under Eyes; ls"), ["--size 64", "--domains 'Bags Under Eyes; ls'"]),
        (imagined(crop="$(ls)"), ["--size 64", "--crop '$(ls)'"]),
        (Data(name="some"), []),
        (Data(name="some", size=64, crop="face", limit=3, domains="Smiling"), ["--size 64", "--crop face"]),
    ],
)
def test_options_are_those_that_make_such_an_array(of: Manifest | Data, said: list[str]) -> None:
    assert options(of) == said
    words = shlex.split(bring_line(of, URL))
    assert words == ["facegan-job", "data", "prepare", of.name, *shlex.split(" ".join(said)), "--store", URL]


@pytest.mark.parametrize(("name", "source"), [("mnist", ""), ("celeba", " --source PATH"), ("mine", " --source PATH")])
def test_what_is_not_downloaded_is_made_of_a_source(name: str, source: str) -> None:
    assert prepare_line(Data(name=name, size=64)) == f"facegan-job data prepare {name}{source} --size 64"


def test_an_array_in_a_few_words() -> None:
    some = imagined(digest="1" * 64, limit=500, domains="Smiling", left_over=3)
    assert described(some) == "1,000 of 64x64x3, crop none, domains Smiling, limit 500, 111111111111"
