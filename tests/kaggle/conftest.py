"""A Kaggle of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.backends.kaggle import api
from jobs.backends.kaggle.backend import KaggleBackend
from tests.cloud import servers
from tests.cloud.proxy import Proxy, proxy
from tests.fakes import rooted
from tests.fakes.kaggle import Kaggle, running
from tests.kaggle.submitting import backend


@pytest.fixture
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kaggle]:
    """Running, with one user and her token; an hour of it is a minute."""
    rooted.require()
    with running(tmp_path_factory.mktemp("kaggle")) as kaggle:
        yield kaggle


@pytest.fixture
def service(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch) -> Kaggle:
    """A Kaggle that is quick, and that this process' environment leads to; what it answers late is waited for."""
    kaggle.set(queue_s=5.0, dataset_hidden_s=2.0, dataset_processing_s=4.0)
    monkeypatch.setattr(api, "HURRIED", api.Patience(timeout_s=60.0))
    for name, value in kaggle.client_environment().items():
        monkeypatch.setenv(name, value)
    return kaggle


@pytest.fixture
def between() -> Iterator[Proxy]:
    """Between a session and its bucket."""
    servers.require("moto", "boto3")
    with proxy(servers.shared_moto()) as found:
        yield found


@pytest.fixture
def here(service: Kaggle, tmp_path: Path) -> KaggleBackend:  # noqa: ARG001 - after it
    return backend(tmp_path)
