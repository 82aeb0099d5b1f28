"""Batch starts a container again, by its own rules: it takes the next number, and the run ends as if untouched."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.errors import SessionExit
from facegan.ledger import Ledger, State
from facegan.storage import open_store
from facegan.verify import verify
from jobs import cli, launch, settings
from jobs import context as contexts
from tests.batch.conftest import Batch
from tests.cloud.test_killed_training import copied
from tests.e2e import outcome
from tests.ec2.cloud import ROOT
from tests.ec2.submitting import store
from tests.waiting import until

STEPS = 100
SHORT = (
    f"training.steps={STEPS}",
    "checkpoint.every_steps=20",
    "samples.every_steps=50",
    "evaluation.metric=none",
    "session.heartbeat_s=0.5",
    "session.lease_s=6",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class User:
    """Whose jobs are processes here, begun with what the engine was asked for, in a folder of theirs."""

    batch: Batch
    folder: Path
    begun: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)

    def submit(self, run: str, *more: str) -> dict[str, Any]:
        words = [word for one in (*SHORT, *more) for word in ("--set", one)]
        assert cli.run(["submit", "dcgan-mnist", "--name", run, "--gpu", "t4", "-d", *words]) == 0
        overrides: dict[str, Any] = self.batch.submitted()[-1]["containerOverrides"]
        return overrides

    def start(self, overrides: dict[str, Any]) -> subprocess.Popen[bytes]:
        """What the engine does, the first time and each time after it."""
        self.batch.put("RUNNING")
        folder = self.folder / "container"
        folder.mkdir(exist_ok=True)
        variables = {each["name"]: each["value"] for each in overrides["environment"]}
        program = f'import sys; sys.path.insert(0, "{ROOT}"); from tests.ec2.toys import main; main()'
        child = subprocess.Popen(
            [sys.executable, "-c", program, *overrides["command"]],
            cwd=folder,
            env={**os.environ, **variables, "FACEGAN_HOME": str(folder)},
        )
        self.begun.append(child)
        return child

    def ledger(self, run: str) -> Ledger:
        found = contexts.real(settings.load()).ledger(run)
        found.refresh()
        return found

    def became(self, run: str) -> outcome.Outcome:
        found = self.ledger(run)
        assert found.fold.state is State.FINISHED
        assert not verify(found).wrong
        copied(open_store(settings.load().store), self.folder / run / "store")
        return outcome.outcome(self.folder / run, run)


@pytest.fixture
def user(batch: Batch, tmp_path: Path, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    told = {"STORE": store(batch.aws.url), "BACKEND": "batch", "HOME": boring_environment}
    for name, value in told.items():
        monkeypatch.setenv(f"FACEGAN_{name}", str(value))
    monkeypatch.setattr("jobs.loopback.of_store", lambda *_: None)  # the stand-in's jobs are on this machine
    found = User(batch=batch, folder=tmp_path)
    yield found
    for child in found.begun:
        child.kill()
        child.wait()


def test_what_the_engine_starts_again_takes_the_next_number(user: User) -> None:
    assert user.start(user.submit("untouched")).wait(600) == 0
    untouched = user.became("untouched")
    assert untouched.step == STEPS

    asked = user.submit("again")
    hold = user.folder / "hold"
    hold.touch()
    first = user.start(asked)
    until(lambda: user.ledger("again").fold.reached >= STEPS // 2 - 10)
    first.send_signal(signal.SIGKILL)  # its machine was taken back
    first.wait()
    user.batch.put("RUNNABLE")
    hold.unlink()
    context = contexts.real(settings.load())
    launch.bury(context, user.ledger("again"))
    assert user.ledger("again").fold.session(1) is not None, "its job lives: nobody says that it is lost"

    assert user.start(asked).wait(600) == 0
    user.batch.put("SUCCEEDED")
    entries = list(user.ledger("again").entries())
    numbers = [each.body["session"] for each in entries if each.kind == "lease"]
    assert numbers == [1, 2]
    (intent,) = [each.body for each in entries if each.kind == "intent" and each.body["session"] == 2]
    (first_intent,) = [each.body for each in entries if each.kind == "intent" and each.body["session"] == 1]
    assert first_intent["gpu"] == "T4"
    assert first_intent["price"]["usd_h"] is not None
    assert [intent[name] for name in ("gpu", "price")] == [first_intent[name] for name in ("gpu", "price")]
    (launched,) = [each.body for each in entries if each.kind == "launched"]
    assert (intent["backend"], intent["ref"]) == ("batch", launched["ref"]), "whoever asks for it finds the same job"
    assert user.became("again") == untouched
    assert len(user.batch.jobs()) == 2


def test_of_two_jobs_for_one_number_the_second_leaves_the_first_alone(user: User) -> None:
    """As of two commands that asked in the same second, from two computers: Batch keeps no name unique."""
    asked = user.submit("twice", "session.lease_s=60")  # longer than the first may stand still
    hold = user.folder / "hold"
    hold.touch()
    first = user.start(asked)
    until(lambda: user.ledger("twice").fold.reached >= STEPS // 2 - 10)
    assert user.start(asked).wait(600) == SessionExit.NOT_HOLDER
    assert first.poll() is None
    hold.unlink()
    assert first.wait(600) == 0
    assert [each.body["session"] for each in user.ledger("twice").entries() if each.kind == "lease"] == [1]
    user.became("twice")
