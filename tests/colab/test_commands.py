"""What a user types, against the stand-in. docs/colab.md is among it.

In between is only that stores on loopback are allowed (`beside`): sessions of the stand-in are on this machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from jobs.backends.colab import naming
from jobs.errors import Exit
from tests.cloud import servers
from tests.colab.submitting import STORE
from tests.e2e.runs import SHORT
from tests.fakes.colab import Colab
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "colab.md"
ALONE = ("-c", "from jobs.cli import main; main()")
BESIDE = ("-m", "tests.colab.beside")
SUBMIT = ("submit", "dcgan-mnist", "--name", "a-run", "--gpu", "t4", "--backend", "colab")
CALLS = ["whoami", "sessions", "sessions", "new", "sessions", "exec", "upload", "upload", "exec", "exec"]


@pytest.fixture(scope="module")
def bucket() -> str:
    return servers.bucket()


def surroundings(colab: Colab | None, store: str, home: Path) -> dict[str, str]:
    folders = [*([str(colab.bin)] if colab else []), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    mine = {"FACEGAN_STORE": store, "HOME": str(home), "PATH": os.pathsep.join(folders)}
    return {**os.environ, **servers.NOBODY, **mine}


def typed(
    colab: Colab | None, home: Path, *arguments: str, store: str = STORE, program: Sequence[str] = BESIDE
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *program, *arguments]
    done = subprocess.run(
        command, env=surroundings(colab, store, home), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    ("store", "variables"),
    [
        ("s3://bucket/gans?endpoint=http://127.0.0.1:9000", {}),
        ("s3://bucket/gans", {"AWS_ENDPOINT_URL_S3": "http://localhost:9000"}),
        ("s3://bucket/gans", {"AWS_ENDPOINT_URL": "http://[::1]:9000"}),
        ("gs://bucket/gans", {"STORAGE_EMULATOR_HOST": "127.0.0.1:9000"}),
    ],
)
def test_a_store_on_loopback_is_refused_before_anything_is_asked(
    colab: Colab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = typed(colab, tmp_path, *SUBMIT, store=store, program=ALONE)
    assert done.returncode == Exit.USAGE
    assert "9000 is this machine's own" in done.stderr
    assert "hint: choose a bucket that is reached from there too" in done.stderr
    assert not colab.calls


def test_a_store_on_this_disk_is_refused(colab: Colab, tmp_path: Path) -> None:
    done = typed(colab, tmp_path, *SUBMIT, store=tmp_path.as_uri())
    assert done.returncode == Exit.USAGE
    assert 'sessions on backend "colab" cannot reach the store' in done.stderr
    assert "--backend kaggle works without" in done.stderr


def test_a_gpu_that_nobody_knows_is_refused(colab: Colab, tmp_path: Path) -> None:
    done = typed(colab, tmp_path, *SUBMIT[:-3], "k80", *SUBMIT[-2:])
    assert done.returncode == Exit.USAGE
    assert 'no GPU "k80"' in done.stderr
    assert not colab.calls


def test_without_the_command_it_says_how_to_get_it(tmp_path: Path) -> None:
    done = typed(None, tmp_path, *SUBMIT)
    assert done.returncode == Exit.USAGE
    assert "pip install google-colab-cli" in done.stderr


def test_nobody_signed_in(colab: Colab, tmp_path: Path) -> None:
    colab.rules.sign_in = "absent"
    done = typed(colab, tmp_path, *SUBMIT)
    assert done.returncode == Exit.ERROR
    assert "sign in once: type colab sessions" in done.stderr


def test_a_dry_run_shows_everything_and_sends_nothing(colab: Colab, tmp_path: Path, bucket: str) -> None:
    done = typed(colab, tmp_path, *SUBMIT, "--dry-run", store=bucket)
    assert done.returncode == Exit.OK, done.stderr
    shown = json.loads(done.stdout)
    assert shown["intent"]["host"] == "ada@example.com"
    calls = [words[3:] for words in (words[1:] for words in shown["session"]["calls"])]
    assert [words[0] for words in calls] == CALLS
    assert shown["session"]["files"][naming.BUNDLE]["order"]["gpu"] == "T4"
    assert not colab.machines
    assert set(colab.verbs()) == {"version", "whoami"}


@pytest.mark.parametrize(("rules", "code", "says"), [
    ({"no_machine": True}, Exit.ERROR, "Allocation refused"),
    ({"entitled": ("NONE",)}, Exit.QUOTA, "Backend rejected accelerator"),
])  # fmt: skip
def test_a_refusal_is_told_and_kept(
    colab: Colab, tmp_path: Path, bucket: str, rules: dict[str, object], code: Exit, says: str
) -> None:
    for name, value in rules.items():
        setattr(colab.rules, name, value)
    words = [word.replace("a-run", f"a-run-{code}") for word in SUBMIT]
    done = typed(colab, tmp_path, *words, "--detach", store=bucket)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "hint:" in done.stderr
    assert says in typed(colab, tmp_path, "status", f"a-run-{code}", "--json", store=bucket).stdout


def test_the_page_from_a_fresh_account_to_a_finished_run(colab: Colab, tmp_path: Path, bucket: str) -> None:
    """Each line of it as it is typed, shortened to a few steps."""
    servers.require("tensorflow")
    (block,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    export, *lines = block.splitlines()
    ours = colab.bin / "facegan-job"
    ours.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {" ".join(BESIDE)} "$@"\n')
    ours.chmod(0o755)
    assert export.startswith("export FACEGAN_STORE=s3://")
    assert [line.split()[1] for line in lines] == ["doctor", "submit", "submit", "wait", "status", "verify"]
    short = " ".join(f"--set {word}" for word in (*SHORT, "session.heartbeat_s=0.5"))
    said = []
    for line in lines:
        text = line.replace("submit dcgan-mnist", f"submit dcgan-mnist {short}")
        done = subprocess.run(
            ["/bin/sh", "-c", text], env=surroundings(colab, bucket, tmp_path), cwd=tmp_path, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == 0 or "doctor" in line, f"$ {line}\n{done.stdout}\n{done.stderr}"
        said.append(done.stdout)
    assert "finished" in said[-2]
    until(lambda: colab.ended)
    assert not colab.machines
    (machine,) = colab.ended
    assert machine.why in {"unassigned", "stopped"}, "by itself, or by the first command that saw its end"
