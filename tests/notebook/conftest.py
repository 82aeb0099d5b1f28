"""A bucket with a run in it, its exported notebooks, and what notebooks on a place's machines find there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from jobs import cli, loopback
from tests.cloud import servers
from tests.cloud.proxy import Proxy, proxy
from tests.cloud.test_killed_training import CloudUser
from tests.e2e.runs import RUN

PLACES = Path(__file__).parent / "places"
CANARY = "canary-that-must-not-be-seen"
KEYS = {"AWS_ACCESS_KEY_ID": f"id-{CANARY}", "AWS_SECRET_ACCESS_KEY": f"key-{CANARY}"}
NO_KEYS = {name: value for name, value in servers.NOBODY.items() if name not in KEYS}

Export = Callable[..., Path]


@pytest.fixture(scope="session")
def endpoint() -> str:
    servers.require("tensorflow", "boto3", "ipykernel", "nbformat")
    return servers.shared_moto()


@pytest.fixture
def between(endpoint: str) -> Iterator[Proxy]:
    with proxy(endpoint) as found:
        yield found


@pytest.fixture
def user(between: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudUser:
    """Somebody with a run in a bucket."""
    for name, value in servers.NOBODY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(loopback, "of_store", lambda *_: None)  # notebooks are run on this machine
    home = tmp_path / "user"
    home.mkdir()
    url = f"s3://{servers.BUCKET}/{tmp_path.name}?endpoint={between.url}"
    return CloudUser(home=home, store_url=url, variables=servers.NOBODY)


@pytest.fixture
def export(user: CloudUser, tmp_path: Path) -> Export:
    """Type `facegan-job export PLACE RUN`; the file."""

    def typed(place: str, *more: str) -> Path:
        target = tmp_path / f"{place}.ipynb"
        assert cli.run(["export", place, RUN, "--store", user.store_url, "-o", str(target), *more]) == 0
        return target

    return typed


def on(place: str, secrets: Path, found: Mapping[str, str | None] = KEYS) -> dict[str, str]:
    """The variables of a machine there, whose notebooks have these secrets."""
    secrets.write_text(json.dumps(found))
    token = {"KAGGLE_USER_SECRETS_TOKEN": "token"} if place == "kaggle" else {}
    return {**NO_KEYS, "PYTHONPATH": str(PLACES / place), "TEST_SECRETS": str(secrets), **token}
