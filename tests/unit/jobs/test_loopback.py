"""Stores on loopback: told from others, and refused for sessions that are elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.storage.memory import MemoryStore
from jobs import loopback, orders
from tests.unit.jobs import world

HERE = "http://127.0.0.1:9000"
THERE = "https://s3.example.com"


@pytest.mark.parametrize(
    ("url", "variables", "found"),
    [
        (f"s3://b/p?endpoint={HERE}", {}, "127.0.0.1:9000"),
        ("s3://b/p?endpoint=localhost:9000", {}, "localhost:9000"),
        ("s3://b/p?endpoint=http://me:secret@127.0.0.1:9000", {}, "127.0.0.1:9000"),
        ("s3://b/p", {"AWS_ENDPOINT_URL": HERE}, "127.0.0.1:9000"),
        ("s3://b/p", {"AWS_ENDPOINT_URL_S3": HERE, "AWS_ENDPOINT_URL": THERE}, "127.0.0.1:9000"),
        ("gs://b/p", {"STORAGE_EMULATOR_HOST": "localhost:4443"}, "localhost:4443"),
        (f"s3://b/p?endpoint={THERE}", {"AWS_ENDPOINT_URL": HERE}, None),
        ("s3://b/p", {"AWS_ENDPOINT_URL_S3": THERE, "AWS_ENDPOINT_URL": HERE}, None),
        ("s3://b/p", {"STORAGE_EMULATOR_HOST": HERE}, None),
        ("gs://b/p", {"AWS_ENDPOINT_URL": HERE}, None),
        ("s3://localhost/p", {}, None),
        ("file:///tmp", {"AWS_ENDPOINT_URL": HERE}, None),
    ],
)
def test_an_endpoint_is_found_where_the_sdks_look_for_it(
    url: str, variables: dict[str, str], found: str | None
) -> None:
    assert loopback.of_store(url, variables) == found


@pytest.mark.parametrize("backend", ["kaggle", "colab"])
def test_a_place_elsewhere_is_refused_with_a_store_that_is_here(
    home: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.delenv("KAGGLE_API_ENVIRONMENT", raising=False)
    store = MemoryStore()
    store.url = f"s3://b/p?endpoint={HERE}"
    with pytest.raises(BadInputError, match=rf'sessions on backend "{backend}" .* is this machine\'s own') as caught:
        orders.place(world.context(home, store), backend, None)
    assert "--store s3://BUCKET/PREFIX" in str(caught.value.hint)
