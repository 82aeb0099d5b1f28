"""Sessions that are ended, frozen, doubled and stopped: one line of history, nothing acknowledged lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from facegan.ledger import State
from tests.e2e import children
from tests.e2e.children import Harm
from tests.e2e.outcome import Outcome, committed, entries, objects
from tests.e2e.runs import RUN, STEPS, User, at
from tests.waiting import until


def test_sigterm_ends_a_session_with_a_checkpoint(user: User, untouched: Outcome) -> None:
    user.create("checkpoint.every_steps=16")  # so that it is no further than 32 when it hears, however fast it is
    assert user.session(user.ask(), at(Harm.TERM, count=1)) == 75
    fold = user.fold()
    assert fold.state is State.INTERRUPTED
    assert fold.end is not None
    assert (fold.end.kind, fold.end.why) == ("report", "received SIGTERM")
    assert 16 < fold.reached < STEPS, "what was trained since the last checkpoint is committed, too"
    assert user.resume() == 0
    assert user.outcome() == untouched
    assert user.is_whole()


def test_a_stop_holds_for_all_but_resume(user: User, untouched: Outcome) -> None:
    user.create()
    assert user.session(user.ask(), at(Harm.STOP)) == 75
    fold = user.fold()
    assert fold.state is State.STOPPED
    assert 24 <= fold.reached < STEPS
    before = objects(user.home)
    assert user.session() == 75, "started by hand"
    assert objects(user.home) == before
    assert user.resume() == 0
    assert user.outcome() == untouched
    assert user.is_whole()


@pytest.mark.usefixtures("server")
def test_a_session_ends_with_its_budget_and_a_checkpoint(tmp_path: Path) -> None:
    """The first budget in which this machine gets to a step at all, and is not held up when it ends."""
    for budget_s in (12, 48, 192):
        user = User(home=tmp_path / str(budget_s))
        user.home.mkdir()
        user.create(f"session.budget_s={budget_s}", "training.steps=100000", "checkpoint.every_steps=100000")
        assert user.session(user.ask()) == 75
        fold = user.fold()
        assert fold.state is State.INTERRUPTED
        assert fold.end is not None
        assert fold.end.why == f"the session's {budget_s} s are used"
        took_s = entries(user.home, RUN)[-1]["took_s"]
        if fold.reached and took_s < budget_s + 2:
            break
    assert fold.reached > 0
    assert took_s < budget_s + 2


def is_frozen(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_session_that_was_frozen_and_comes_back_changes_nothing(user: User, untouched: Outcome) -> None:
    user.create("session.lease_s=2")
    frozen = user.start(user.ask(), at(Harm.FREEZE))
    assert frozen.pid is not None
    until(lambda: is_frozen(frozen.pid or 0))
    assert user.bury().open, "frozen is not dead"
    assert user.session() == 0
    assert user.outcome() == untouched
    before = objects(user.home)
    os.kill(frozen.pid, signal.SIGCONT)
    assert children.end_of(frozen) == 73
    after = objects(user.home)
    assert {key: after.get(key) for key in before if "/sessions/1/" not in key} == {
        key: digest for key, digest in before.items() if "/sessions/1/" not in key
    }
    unnamed = [key for key in after.keys() - before.keys() if "/sessions/1/" not in key]
    assert all(key.startswith(f"runs/{RUN}/checkpoints/24-1/") for key in unnamed), "what it was uploading"
    assert {entry["session"] for entry in committed(user.home, RUN)} == {1, 2}
    assert user.outcome() == untouched
    assert user.is_whole()


@pytest.mark.parametrize("number", [1, None], ids=["one number twice", "by hand"])
def test_of_two_sessions_that_start_together_one_trains(number: int | None, user: User, untouched: Outcome) -> None:
    user.create("session.lease_s=30")
    if number:
        assert user.ask() == number
    pair = [user.start(number, at(Harm.WAIT, count=1)) for _ in range(2)]
    until(lambda: any(child.exitcode is not None for child in pair))
    (user.home / children.GO).touch()
    assert sorted(children.end_of(child) for child in pair) == [0, 73]
    assert user.kinds().count("lease") == 1
    assert user.outcome() == untouched
    assert user.is_whole()
