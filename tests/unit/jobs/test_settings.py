"""Settings come from four places, in one order."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.errors import BadInputError
from jobs import settings
from jobs.settings import KEYS, PROJECT_FILE, USER_FILE


def load(home: Path, folder: Path, *, flag: str | None = None, variable: str | None = None) -> settings.Settings:
    environment = {"FACEGAN_HOME": str(home)} | ({"FACEGAN_STORE": variable} if variable else {})
    return settings.load({"store": flag}, environment, folder)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def test_without_any_setting_everything_is_below_the_home(tmp_path: Path) -> None:
    found = load(tmp_path / "home", tmp_path)
    assert found.home == tmp_path / "home"
    assert found.store == (tmp_path / "home" / "store").as_uri()
    assert found.backend == "local"
    assert found.tracking == f"sqlite:///{tmp_path}/home/mlflow/mlflow.db"


def test_flags_beat_the_environment_beats_the_project_beats_the_user(tmp_path: Path, home: Path) -> None:
    write(home, USER_FILE, 'store = "file:///user"\nbackend = "of the user"\n')
    assert load(home, tmp_path).store == "file:///user"
    write(tmp_path, PROJECT_FILE, 'store = "file:///project"\n')
    assert load(home, tmp_path).store == "file:///project"
    assert load(home, tmp_path, variable="file:///variable").store == "file:///variable"
    assert load(home, tmp_path, variable="file:///variable", flag="file:///flag").store == "file:///flag"
    assert load(home, tmp_path).backend == "of the user", "a file settles only the keys it has"


@pytest.mark.parametrize("key", settings.KEYS)
def test_every_setting_has_a_variable(key: str, tmp_path: Path) -> None:
    found = settings.load(environment={f"FACEGAN_{key.upper()}": "mine"}, folder=tmp_path)
    assert getattr(found, key) == "mine"


def test_an_empty_flag_is_not_a_missing_one(tmp_path: Path, home: Path) -> None:
    assert load(home, tmp_path, flag="").store == ""


@pytest.mark.parametrize("name", [USER_FILE, PROJECT_FILE])
def test_an_unknown_key_is_quoted_and_the_known_ones_are_listed(name: str, tmp_path: Path, home: Path) -> None:
    write(home if name == USER_FILE else tmp_path, name, 'stroe = "file:///x"\n')
    with pytest.raises(BadInputError) as raised:
        load(home, tmp_path)
    assert '"stroe"' in raised.value.message
    assert name in raised.value.message
    assert raised.value.hint == f'did you mean "store"? known: {", ".join(sorted(KEYS))}'


@pytest.mark.parametrize("text", ["store = ", "= x", "\0", 'store = "a"\nstore = "b"'])
def test_a_file_that_is_not_toml_is_named(text: str, tmp_path: Path, home: Path) -> None:
    write(tmp_path, PROJECT_FILE, text)
    with pytest.raises(BadInputError, match=rf'"{tmp_path}/{PROJECT_FILE}" cannot be read as settings'):
        load(home, tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path: Path, home: Path) -> None:
    (tmp_path / PROJECT_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(BadInputError, match="cannot be read as settings"):
        load(home, tmp_path)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, home: Path) -> None:
    (tmp_path / PROJECT_FILE).mkdir()
    with pytest.raises(BadInputError, match="cannot be read as settings"):
        load(home, tmp_path)


@pytest.mark.parametrize("value", ["3", "true", "[1]", "{}"])
def test_a_value_that_is_no_text_is_refused(value: str, tmp_path: Path, home: Path) -> None:
    write(tmp_path, PROJECT_FILE, f"backend = {value}\n")
    with pytest.raises(BadInputError, match=r'backend in ".*" must be a text, not "'):
        load(home, tmp_path)


def test_a_number_is_written_as_a_text(tmp_path: Path, home: Path) -> None:
    write(tmp_path, PROJECT_FILE, "price = 0.25\n")
    with pytest.raises(BadInputError) as raised:
        load(home, tmp_path)
    assert raised.value.hint == 'price = "0.25"'
