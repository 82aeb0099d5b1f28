"""The environment made boring: a home of its own, no credentials, no colours, a fixed width."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

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
LONGEST = (  # files of a quarter of a minute and more, the longest first
    "tests/docs/test_commands.py",
    "tests/stack/test_stack.py",
    "tests/container/test_limits.py",
    "tests/relay/test_everywhere.py",
    "tests/training/test_partition.py",
    "tests/container/test_secrets.py",
    "tests/training/test_replicas.py",
    "tests/relay/test_watch.py",
    "tests/ec2/test_page.py",
    "tests/batch/test_page.py",
    "tests/ec2/test_taken.py",
    "tests/ec2/test_container.py",
    "tests/container/test_network.py",
    "tests/batch/test_container.py",
    "tests/cloud/test_killed_training.py",
    "tests/cloud/test_sessions.py",
    "tests/e2e/test_killed.py",
    "tests/rehearsal/test_weeks.py",
    "tests/kaggle/test_datasets.py",
    "tests/interleaving/test_histories.py",
    "tests/faults/test_histories.py",
    "tests/container/test_stopped.py",
    "tests/colab/test_backend.py",
    "tests/gradient/test_page.py",
    "tests/kaggle/test_relay.py",
    "tests/container/test_daemon.py",
    "tests/cloud/test_contract.py",
    "tests/ec2/test_machine.py",
    "tests/container/test_page.py",
    "tests/e2e/test_sessions.py",
    "tests/container/test_restarts.py",
    "tests/security/test_secrets.py",
    "tests/data/test_imdb_wiki.py",
    "tests/data/test_preparing_killed.py",
    "tests/notebook/test_running.py",
    "tests/container/test_image.py",
    "tests/ec2/test_reaping.py",
    "tests/training/test_models_state.py",
    "tests/container/test_killed.py",
    "tests/e2e/test_commands.py",
    "tests/container/test_ssh.py",
    "tests/interleaving/test_copies.py",
    "tests/gce/test_backend.py",
    "tests/kaggle/test_fake_sessions.py",
    "tests/data/test_mnist.py",
    "tests/ec2/test_backend.py",
    "tests/container/test_isolation.py",
    "tests/kaggle/test_carried.py",
    "tests/colab/test_commands.py",
    "tests/kaggle/test_killed.py",
    "tests/colab/test_training.py",
    "tests/cloud/test_credentials.py",
    "tests/notebook/test_cells.py",
    "tests/training/test_models.py",
    "tests/gce/test_page.py",
    "tests/gce/test_taken.py",
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


@pytest.fixture(autouse=True, scope="session")
def services_read_once() -> Iterator[None]:
    """What AWS' services are is the same in every test: each session of the SDK would read its 30 MB anew."""
    if importlib.util.find_spec("botocore") is None:
        yield
        return
    import botocore.session

    loader = botocore.session.create_loader()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(botocore.session, "create_loader", lambda _path=None: loader)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: none is begun when all else is done, and keeps the other cores waiting."""
    gone = [name for name in LONGEST if not (ROOT / name).exists()]
    assert not gone, f"tests/conftest.py names what is not there: {gone}"
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests have counted is said at the end, whichever process they ran in."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    counted = [value for each in reports for name, value in each.user_properties if name == "counted"]
    if counted:
        terminalreporter.section("counted")
        for line in counted:
            terminalreporter.write_line(str(line))


def pytest_sessionfinish() -> None:
    """Servers that tests shared end with them."""
    if servers := sys.modules.get("tests.cloud.servers"):
        servers.UNTIL_THE_END.close()
