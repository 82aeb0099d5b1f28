"""A session that is watched live, hangs, and is ended for good: what its user types, and sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan import layout, process
from facegan.ledger import State
from jobs import launch, orders, recipe, word
from jobs.context import Context
from jobs.errors import Exit
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.sessions import Session
from tests.kaggle import world
from tests.kaggle.world import QUICK, RUN
from tests.waiting import until

OUTPUT = layout.output(RUN, 1)
ROOT = Path(__file__).parents[2]
LONG = (*QUICK, "training.steps=1000000", "training.batch_size=8", "checkpoint.every_steps=1000000")


@pytest.fixture
def context(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, boring_environment: Path) -> Iterator[Context]:
    with world.bucket(monkeypatch) as store:
        monkeypatch.setattr(orders, "SHORTEST_GRACE_S", 2.0)
        kaggle.set(queue_s=10.0)
        yield world.signed_in(kaggle, store, boring_environment, monkeypatch)


def typing(context: Context, *arguments: str) -> subprocess.Popen[str]:
    """A command on its way."""
    environment = {**os.environ, "FACEGAN_STORE": context.store.url, "FACEGAN_HOME": str(context.settings.home)}
    command = [sys.executable, "-c", "import sys; from jobs.cli import run; sys.exit(run(sys.argv[1:]))", *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def lines(session: Session) -> list[str]:
    """What Kaggle has of what it printed."""
    return session.log.plain().splitlines(keepends=True)


def stored(context: Context) -> list[str]:
    """What the store has of it."""
    return "".join(context.store.get(key).decode() for key in context.store.list(OUTPUT)).splitlines(keepends=True)


def freeze(context: Context) -> None:
    """Let the session's own process hang: it hears nothing, and stays."""
    found = [pid for pid, arguments in process.everyone() if f"{context.store.url}/runs/{RUN}" in arguments]
    assert found
    for pid in found:
        os.kill(pid, signal.SIGSTOP)


def test_its_log_is_shown_live_and_a_hanging_one_is_cancelled(kaggle: Kaggle, context: Context) -> None:
    ledger = launch.create(context, RUN, recipe.resolve("dcgan-mnist", LONG, device="cpu", cores=1))
    launch.submit(context, ledger, world.place(context), print)
    session = kaggle.session(world.name(context, 1))
    until(session.log.plain)  # who stands still between place and store would see the store's lines first
    with typing(context, "logs", "-f", RUN) as watching:
        assert watching.stdout is not None
        seen = [watching.stdout.readline()]
        assert seen[0].startswith("facegan-start: "), "shown before there is a lease"
        until(lambda: world.fold(context).lease is not None)
        (begun,) = world.fold(context).open
        assert begun.ref is not None
        assert begun.ref["session_id"] == session.number, "cancel needs it"
        until(lambda: any(context.store.list(OUTPUT)))
        freeze(context)
        until(lambda: {line for line in stored(context) if line.endswith("\n")} <= set(lines(session)))

        word.cancel(context, ledger)
        assert not word.end(context, ledger, print)
        fold = world.fold(context)
        assert (fold.state, fold.open) == (State.CANCELLED, ())
        assert fold.end is not None
        assert fold.end.why == "its session was cancelled at Kaggle"
        assert session.over
        seen += watching.stdout.readlines()
    assert watching.returncode == Exit.CANCELLED
    printed = lines(session)
    assert Counter(seen) == Counter(printed)  # in the order in which place and store had them
    with typing(context, "logs", RUN) as after:
        assert after.stdout is not None
        assert after.stdout.readlines() == printed
    assert set(stored(context)) <= set(printed)
    assert stored(context)
