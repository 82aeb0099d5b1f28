"""Tracking URIs."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.tracking import address


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("https://user:secret@Host.example:5000/mlflow/?token=secret", "https://host.example:5000/mlflow"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000"),
        ("postgresql+psycopg2://user:secret@db/mlflow?password=secret", "postgresql+psycopg2://db/mlflow"),
        ("sqlite:////data/a b/mlflow.db?timeout=5", "file:///data/a%20b/mlflow.db"),
    ],
)
def test_a_server_has_one_name_and_no_secret(uri: str, name: str) -> None:
    assert address.name(address.check(uri)) == name


def test_a_database_has_the_same_name_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address.name("sqlite:///mlflow.db") == address.name(f"sqlite:///{tmp_path}/mlflow.db")


@pytest.mark.parametrize(
    "uri",
    ["", "mlruns", "/data/mlflow.db", "foo://user:secret@host", "sqlite://", "sqlite:///:memory:", "file:///mlruns"],
)
def test_what_is_no_server_is_refused(uri: str) -> None:
    with pytest.raises(BadInputError) as refused:
        address.check(uri)
    assert "secret" not in refused.value.message
    assert "sqlite:////data/mlflow.db" in str(refused.value.hint)


def test_artifacts_never_go_where_the_process_happens_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address.artifact_root("sqlite:////data/mlflow.db", None) == "file:///data/artifacts"
    assert address.artifact_root("http://host", None) is None
    assert address.artifact_root("http://host", "s3://bucket/mlflow/") == "s3://bucket/mlflow"
    assert address.artifact_root("sqlite:////data/mlflow.db", "here") == (tmp_path / "here").as_uri()


def test_texts_lose_their_credentials() -> None:
    said = "cannot reach s3://key:secret@bucket/a or https://token@host/b; user@example.org stays"
    assert address.without_credentials(said) == "cannot reach s3://bucket/a or https://host/b; user@example.org stays"
