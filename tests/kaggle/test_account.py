"""Credentials are found where Kaggle's client finds them, in its order; the first that Kaggle takes counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.backends.kaggle import account
from jobs.backends.kaggle.account import Found
from jobs.backends.kaggle.api import Api
from jobs.refusals import Auth, Uncertain
from tests.fakes.kaggle import Kaggle


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def full_house(tmp_path: Path) -> Path:
    """A home with every file that there can be."""
    write(tmp_path / ".kaggle/access_token", "from-file\n")
    write(tmp_path / ".kaggle/access_token.txt", "from-txt\n")
    write(tmp_path / ".kaggle/kaggle.json", json.dumps({"username": "ada", "key": "from-json"}))
    write(tmp_path / ".kaggle/credentials.json", json.dumps({"refresh_token": "from-login"}))
    return tmp_path


def seen(found: list[Found]) -> list[str]:
    return [str(each.token or each.key or each.refresh) for each in found]


def test_the_order_is_that_of_kaggles_client(full_house: Path) -> None:
    found = account.search({"KAGGLE_API_TOKEN": "from-variable"}, full_house)
    assert seen(list(found)) == ["from-variable", "from-file", "from-json", "from-login"]


def test_a_token_may_be_the_name_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere", "in-it\n")
    assert seen(list(account.search({"KAGGLE_API_TOKEN": str(path)}, tmp_path))) == ["in-it"]


def test_the_name_of_a_file_that_is_not_there_is_no_token_and_said(kaggle: Kaggle, tmp_path: Path) -> None:
    environment = {"KAGGLE_API_TOKEN": str(tmp_path / "none")}
    with pytest.raises(Auth, match="KAGGLE_API_TOKEN, which names a file that cannot be read"):
        account.sign_in(account.search(environment, tmp_path), lambda said: Api(kaggle.url, said, lambda _: None))
    write(tmp_path / ".kaggle/access_token", kaggle.account.token)
    found = account.sign_in(account.search(environment, tmp_path), lambda said: Api(kaggle.url, said, lambda _: None))
    assert found.source.endswith("access_token, instead of KAGGLE_API_TOKEN, which names a file that cannot be read")


def test_variables_are_preferred_to_the_words_of_the_file(full_house: Path) -> None:
    environment = {"KAGGLE_USERNAME": "bob", "KAGGLE_KEY": "from-variable"}
    found = [each for each in account.search(environment, full_house) if each.key]
    assert [(each.user, each.key) for each in found] == [("bob", "from-variable")]


def test_the_file_may_be_in_a_folder_of_its_own_or_of_the_desktop(tmp_path: Path) -> None:
    words = json.dumps({"username": "ada", "key": "k"})
    write(tmp_path / "chosen/kaggle.json", words)
    write(tmp_path / "config/kaggle/kaggle.json", words)
    write(tmp_path / ".config/kaggle/kaggle.json", words)
    for environment in (
        {"KAGGLE_CONFIG_DIR": str(tmp_path / "chosen")},
        {"XDG_CONFIG_HOME": str(tmp_path / "config")},
        {},
    ):
        assert seen(list(account.search(environment, tmp_path))) == ["k"], environment


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', '{"username": "ada"}'])
def test_a_broken_file_is_none(tmp_path: Path, text: str) -> None:
    write(tmp_path / ".kaggle/kaggle.json", text)
    assert not account.search({}, tmp_path)


def test_no_secret_is_shown(full_house: Path) -> None:
    found = account.search({"KAGGLE_API_TOKEN": "from-variable"}, full_house)
    for secret in ("from-variable", "from-file", "from-json", "from-login"):
        assert secret not in repr(found)


def test_a_token_that_has_ended_is_passed_over(kaggle: Kaggle) -> None:
    def open_api(authorization: str | None) -> Api:
        return Api(kaggle.url, authorization, lambda _: None)

    good = Found(source="file", token=kaggle.account.token)
    signed = account.sign_in([Found(source="variable", token="ended"), good], open_api)
    assert (signed.user, signed.source) == ("ada", "file")
    assert kaggle.account.token not in repr(signed)
    with pytest.raises(Auth, match="none of the credentials that are set up here: variable"):
        account.sign_in([Found(source="variable", token="ended")], open_api)


def test_without_credentials_it_says_where_they_go() -> None:
    with pytest.raises(Auth, match="no credentials") as caught:
        account.sign_in([], lambda _: pytest.fail("nobody is asked"))
    assert "KAGGLE_API_TOKEN" in str(caught.value.hint)


def test_a_kaggle_that_does_not_answer_is_not_a_token_that_has_ended(kaggle: Kaggle) -> None:
    kaggle.faults.fail("IntrospectToken", code=503, times=99)
    with pytest.raises(Uncertain):
        account.sign_in([Found(source="x", token="t")], lambda auth: Api(kaggle.url, auth, lambda _: None))


def test_a_key_of_old_is_tried_before_it_is_used(kaggle: Kaggle) -> None:
    """Nothing else tells a wrong one: without, it would be found out when the run is written already."""

    def open_api(authorization: str | None) -> Api:
        return Api(kaggle.url, authorization, lambda _: None)

    right = Found(source="file", user="ada", key=kaggle.account.key)
    signed = account.sign_in([Found(source="variables", user="ada", key="wrong"), right], open_api)
    assert (signed.user, signed.source) == ("ada", "file")
    assert open_api(signed.authorization).quota().allowed_s == 30 * 3600
    with pytest.raises(Auth, match="none of the credentials that are set up here: variables"):
        account.sign_in([Found(source="variables", user="ada", key="wrong")], open_api)
