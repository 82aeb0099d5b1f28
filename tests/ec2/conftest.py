"""An account at EC2 as moto plays it, and nobody's credentials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.backends.ec2.backend import Ec2Backend
from tests.cloud import servers
from tests.ec2.submitting import backend
from tests.fakes import ec2


@pytest.fixture(scope="session")
def account() -> Iterator[ec2.Ec2]:
    with ec2.serving() as fake:
        yield fake


@pytest.fixture
def aws(account: ec2.Ec2, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> ec2.Ec2:  # noqa: ARG001 - first
    """Without a machine."""
    account.begin_anew()
    for name, value in {**servers.NOBODY, "AWS_ENDPOINT_URL": account.url}.items():
        monkeypatch.setenv(name, value)
    return account


@pytest.fixture
def here(aws: ec2.Ec2, tmp_path: Path) -> Ec2Backend:
    return backend(tmp_path, aws.url)
