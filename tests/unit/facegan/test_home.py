"""Where the tool keeps what it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.home import home


def test_it_is_where_the_variable_says(tmp_path: Path) -> None:
    assert home({"FACEGAN_HOME": str(tmp_path)}) == tmp_path


@pytest.mark.parametrize("environment", [{}, {"FACEGAN_HOME": ""}])
def test_without_the_variable_it_is_in_the_user_s_folder(environment: dict[str, str]) -> None:
    assert home(environment) == Path.home() / ".facegan"


def test_it_is_absolute_whatever_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert home({"FACEGAN_HOME": "here"}) == tmp_path / "here"
    assert home({"FACEGAN_HOME": "~/there"}) == Path.home() / "there"


def test_asking_makes_nothing(tmp_path: Path) -> None:
    home({"FACEGAN_HOME": str(tmp_path / "later")})
    assert list(tmp_path.iterdir()) == []


def test_tests_have_a_home_of_their_own(boring_environment: Path) -> None:
    assert home() == boring_environment
