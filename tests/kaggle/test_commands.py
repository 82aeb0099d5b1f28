"""What a user types, against the stand-in: no word of ours is in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.errors import Exit
from tests.cloud import servers
from tests.fakes.kaggle import Kaggle
from tests.kaggle.submitting import STORE, UNHURRIED

MAIN = f"{UNHURRIED}; from jobs.cli import backends, main; backends.PATIENCE_S = 120.0; main()"
SUBMIT = ("submit", "dcgan-mnist", "--name", "a-run", "--gpu", "t4", "--backend", "kaggle")


def typed(kaggle: Kaggle, *arguments: str, store: str = STORE) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **servers.NOBODY, **kaggle.client_environment(), "FACEGAN_STORE": store}
    environment["no_proxy"] = "127.0.0.1"  # the store's; `localhost` is Kaggle's
    command = [sys.executable, "-c", MAIN, *arguments]
    return subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )


def test_of_a_store_on_this_disk_a_copy_is_trained_on_and_what_became_of_it_comes_home(
    kaggle: Kaggle, tmp_path: Path
) -> None:
    """Kaggle says that it gave a T4, and TensorFlow finds none: the session's own words, brought home, say so."""
    store = tmp_path.as_uri()
    done = typed(kaggle, *SUBMIT, store=store)
    assert done.returncode == Exit.RUN_FAILED, done.stderr
    assert "session 1 failed" in typed(kaggle, "logs", "a-run", store=store).stdout
    assert typed(kaggle, "verify", "a-run", store=store).returncode == Exit.OK


def test_a_store_that_is_neither_there_nor_can_be_carried_is_refused(kaggle: Kaggle) -> None:
    done = typed(kaggle, *SUBMIT, store="memory://")
    assert done.returncode == Exit.USAGE
    assert 'sessions on backend "kaggle" cannot reach the store' in done.stderr
    assert "s3://, gs://" in done.stderr


def test_a_gpu_that_is_retired_is_refused(kaggle: Kaggle) -> None:
    done = typed(kaggle, *SUBMIT[:-4], "--gpu", "p100", *SUBMIT[-2:])
    assert done.returncode == Exit.USAGE
    assert 'the GPU "P100" is retired at Kaggle since 2026-09-15' in done.stderr
    assert "it has T4" in done.stderr


def test_what_there_is_and_what_is_left_is_listed(kaggle: Kaggle) -> None:
    kaggle.account.spend(kaggle.clock, hours=2)
    done = typed(kaggle, "backends")
    assert done.returncode == Exit.OK, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("kaggle")]
    assert "up to 12h 00m" in line
    assert "28.0 of 30 h left" in line
    assert "s3, gs, file (a copy)" in line
    assert "kaggle: P100 is retired at Kaggle since 2026-09-15" in done.stderr
    assert "begins anew on Saturday" in done.stderr
    kaggle.faults.fail("", code=503, times=99)
    silent = json.loads(typed(kaggle, "backends", "--json").stdout)
    (found,) = [each for each in silent if each["name"] == "kaggle"]
    assert (found["stores"], found["carries"]) == (["s3", "gs"], ["file"])
    assert (found["quota"], found["absent"]) == (None, {"P100": "retired at Kaggle since 2026-09-15"})
    assert "Kaggle answers 503" in found["no_answer"]


def test_without_a_token_it_says_where_one_goes(kaggle: Kaggle) -> None:
    kaggle.account.token = "another"
    before = kaggle.client_environment()
    kaggle.account.token = "gone"
    environment = {**os.environ, **servers.NOBODY, **before, "FACEGAN_STORE": STORE, "HOME": os.devnull}
    command = [sys.executable, "-c", "from jobs.cli import main; main()", *SUBMIT]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.ERROR
    assert "none of the credentials" in done.stderr
    assert "KAGGLE_API_TOKEN" in done.stderr
    assert "another" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def bucket() -> str:
    return servers.bucket()


def test_a_dry_run_shows_everything_and_sends_nothing(kaggle: Kaggle, bucket: str) -> None:
    done = typed(kaggle, *SUBMIT, "--dry-run", store=bucket)
    assert done.returncode == Exit.OK, done.stderr
    shown = json.loads(done.stdout)
    session = shown["session"]
    assert session["kernel"]["machineShape"] == "NvidiaTeslaT4"
    assert shown["intent"]["bundle"]["sha256"] in session["kernel"]["text"]
    assert shown["intent"]["host"] == "ada"
    asked = {request.call.rpartition("/")[2] for request in kaggle.faults.requests}
    assert asked == {"IntrospectToken", "GetAcceleratorQuotaStatistics"}


def test_a_week_that_is_used_up_has_its_own_exit_code_and_says_until_when(kaggle: Kaggle, bucket: str) -> None:
    kaggle.account.spend(kaggle.clock, hours=30)
    kaggle.set(dataset_hidden_s=1.0, dataset_processing_s=2.0)
    done = typed(kaggle, *SUBMIT, "--detach", store=bucket)
    assert done.returncode == Exit.QUOTA, done.stderr
    assert "there is more on Saturday" in done.stderr
    assert "Traceback" not in done.stderr
    told = typed(kaggle, "status", "a-run", "--json", store=bucket)
    assert "waits for kaggle's quota until Saturday" in told.stdout
