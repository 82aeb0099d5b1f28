"""Prepared data of more than one part go to S3 and GCS, and come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan import prepared
from facegan.storage import open_store
from tests.fakes import datasets


@pytest.mark.parametrize("cloud", ["s3", "gs"])
def test_prepared_data_go_there_and_come_back(cloud: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store = open_store(request.getfixturevalue(f"{cloud}_url"))
    made = datasets.fill(store, tmp_path / "mine", count=90, side=360)
    assert len(made.images) == 2
    assert prepared.find_stored(store, made.name) == [made]
    assert prepared.verify_stored(store, made.name, made.digest) == []
    folder = prepared.fetch(store, made.name, made.digest, tmp_path / "other", lambda _text: None)
    assert prepared.verify(folder) == []
