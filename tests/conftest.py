"""The environment made boring: a home of its own, no credentials, no colours, a fixed width."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "boring",
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("boring"), max_examples=2_000)
settings.load_profile(os.environ.get("FACEGAN_TEST_PROFILE", "boring"))

SECRET_PREFIXES = (
    "AWS_",
    "AZURE_",
    "GOOGLE_",
    "GCLOUD_",
    "CLOUDSDK_",
    "KAGGLE_",
    "GRADIENT_",
    "PAPERSPACE_",
    "DOCKER_",
)
STRAY_PREFIXES = ("FACEGAN_", "MLFLOW_", "STORAGE_EMULATOR_HOST")
KEPT = {"FACEGAN_TEST_DATA", "FACEGAN_TEST_STORE", "FACEGAN_TEST_PROFILE", "FACEGAN_TEST_SEED"}


@pytest.fixture(autouse=True)
def boring_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the developer's own settings, credentials or runs; its `FACEGAN_HOME` is returned."""
    for name in list(os.environ):
        if name.startswith(SECRET_PREFIXES + STRAY_PREFIXES) and name not in KEPT:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("facegan-home", numbered=True)
    monkeypatch.setenv("FACEGAN_HOME", str(home))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    return home
