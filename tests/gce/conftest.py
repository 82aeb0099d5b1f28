"""A project at Compute Engine as our stand-in plays it, a bucket beside it, and nobody's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import servers
from tests.fakes import gce


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    with servers.fake_gcs() as url:
        yield url


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[gce.Gce, Path]]:
    servers.require("google.cloud.compute_v1", "cryptography")
    key = gce.key_file(tmp_path_factory.mktemp("google") / "key.json")
    with gce.serving() as fake:
        yield fake, key


@pytest.fixture
def google(
    project: tuple[gce.Gce, Path],
    bucket: str,
    boring_environment: Path,  # noqa: ARG001 - first
    monkeypatch: pytest.MonkeyPatch,
) -> gce.Gce:
    """Without a machine."""
    fake, key = project
    fake.begin_anew()
    said = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": fake.url,
        "CLOUDSDK_COMPUTE_REGION": "us-central1",
        "GOOGLE_APPLICATION_CREDENTIALS": str(key),
        "STORAGE_EMULATOR_HOST": bucket,
        "NO_GCE_CHECK": "true",
        "https_proxy": "http://127.0.0.1:1",  # what the SDK asks of Google beside it gets no answer
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    return fake
