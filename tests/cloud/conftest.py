"""Servers, and the credentials of nobody."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from facegan.accounts.policy import AwsPolicies
from facegan.storage import ObjectStore, open_store
from tests.cloud import servers
from tests.cloud.bucket import ROLE, USER, Bucket
from tests.cloud.gate import Gate, gate
from tests.cloud.proxy import Proxy, proxy

MINE = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST"))
}  # as the tests were started, for stores that the user names


@pytest.fixture(autouse=True)
def credentials(boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - after it
    """Nobody's, so that no test can reach an account; the user's own where the user named a store."""
    for name, value in (MINE if os.environ.get("FACEGAN_TEST_STORE") else servers.NOBODY).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def moto() -> str:
    return servers.shared_moto()


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[str]:
    with servers.fake_gcs() as url:
        yield url


@pytest.fixture
def s3_url(moto: str) -> str:
    return f"s3://{servers.BUCKET}?endpoint={moto}"


@pytest.fixture
def gs_url(fake_gcs: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs)
    return f"gs://{servers.BUCKET}"


@pytest.fixture
def home(boring_environment: Path) -> Path:
    return boring_environment


@pytest.fixture(scope="module")
def guard(moto: str) -> Iterator[Gate]:
    with gate(moto) as found:
        yield found


@pytest.fixture
def bucket(guard: Gate, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A prefix of its own, whose user and whose role have exactly the rights of docs/storage.md."""
    prefix = f"gans-{uuid.uuid4().hex[:8]}/"
    policy = AwsPolicies(servers.BUCKET, prefix).of_user()
    assume = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}
    guard.policies.clear()
    guard.policies[USER] = [{"Statement": [*policy["Statement"], assume]}]
    guard.roles[ROLE] = policy
    for noted in (guard.asked, guard.refused, guard.minted, guard.expired):
        noted.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", guard.url)
    url = f"s3://{servers.BUCKET}/{prefix.rstrip('/')}?endpoint={guard.url}"
    return Bucket(gate=guard, prefix=prefix, url=url, monkeypatch=monkeypatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A store in a cloud, the same one through a proxy, and what the proxy does."""

    name: str
    store: ObjectStore
    through: ObjectStore
    proxy: Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cloud's bucket, opened directly and through a proxy."""

    name: str
    store: ObjectStore
    through: ObjectStore
    proxy: Proxy


@pytest.fixture(scope="module", params=["s3", "gs"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    upstream = request.getfixturevalue("moto" if request.param == "s3" else "fake_gcs")
    with proxy(upstream) as between:
        opened = opened_s3 if request.param == "s3" else opened_gs
        yield Line(name=request.param, store=opened(upstream), through=opened(between.url), proxy=between)


@pytest.fixture
def cloud(line: Line) -> Iterator[Cloud]:
    """An empty store, and nothing wrong with it yet."""
    prefix = f"{uuid.uuid4().hex}/"
    line.proxy.befell.clear()
    yield Cloud(name=line.name, store=below(line.store, prefix), through=below(line.through, prefix), proxy=line.proxy)
    line.proxy.plan = lambda _asked: None


@contextmanager
def hurried() -> Iterator[None]:
    """Time-outs that a test can wait for. Only for what goes wrong: on a busy machine the rest may take longer."""
    from botocore.config import Config

    from facegan.storage import s3

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("facegan.storage.cloud.PATIENCE_S", 1.0)
        patched.setattr("facegan.storage.gcs.READ_S", 2.0)
        patched.setattr(s3, "CONFIG", s3.CONFIG.merge(Config(read_timeout=2.0)))
        yield


def again(cloud: Cloud) -> ObjectStore:
    """The same store through the same proxy, by a client that is made now."""
    opened: Any = (opened_s3 if cloud.name == "s3" else opened_gs)(cloud.proxy.url)
    through: Any = cloud.through
    return below(opened, through._at.prefix)


def opened_s3(endpoint: str) -> ObjectStore:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in servers.NOBODY.items():
            patched.setenv(name, value)
        return with_client(open_store(f"s3://{servers.BUCKET}?endpoint={endpoint}"))


def opened_gs(endpoint: str) -> ObjectStore:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("STORAGE_EMULATOR_HOST", endpoint)
        return with_client(open_store(f"gs://{servers.BUCKET}"))


def with_client(store: Any) -> ObjectStore:
    """The store, with its client made now, in the environment as it is."""
    assert store._client is not None
    opened: ObjectStore = store
    return opened


def below(store: Any, prefix: str) -> ObjectStore:
    """A store in the same bucket by the same client, with keys below a prefix."""
    made = type(store)(dataclasses.replace(store._at, prefix=prefix))
    made.__dict__["_client"] = store._client
    found: ObjectStore = made
    return found
