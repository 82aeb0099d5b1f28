"""A user who types our commands, whose settings are variables, and whose runs are taken back in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facegan.ledger import Ledger, State
from facegan.storage import open_store
from facegan.verify import verify
from jobs import cli, settings
from jobs import context as contexts
from tests.cloud.test_killed_training import copied
from tests.e2e import outcome


def short(steps: int) -> Sequence[str]:
    """What is set of a run of so many steps that a toy trains."""
    return (
        f"training.steps={steps}",
        "checkpoint.every_steps=20",
        "samples.every_steps=50",
        "evaluation.metric=none",
        "session.heartbeat_s=0.5",
        "session.lease_s=600",
    )


def typed(*words: str, code: int = 0) -> None:
    assert cli.run(list(words)) == code


def submit(run: str, steps: int) -> None:
    words = (word for one in short(steps) for word in ("--set", one))
    typed("submit", "dcgan-mnist", "--name", run, "--gpu", "t4", "-d", *words)


def ledger(run: str) -> Ledger:
    found = contexts.real(settings.load()).ledger(run)
    found.refresh()
    return found


def entries(run: str, kind: str) -> list[dict[str, Any]]:
    """What the run's entries of this kind say."""
    return [dict(each.body) for each in ledger(run).entries() if each.kind == kind]


def became(run: str, home: Path) -> outcome.Outcome:
    """What became of the run, which is whole."""
    found = ledger(run)
    assert found.fold.state is State.FINISHED
    assert not verify(found).wrong
    copied(open_store(settings.load().store), home / "store")
    return outcome.outcome(home, run)
