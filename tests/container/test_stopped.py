"""`docker stop` of a session: a last checkpoint in the time there is, and without it the last committed one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan.ledger import State
from tests.container.moments import Moment
from tests.container.runs import DONE, Docked, at_once
from tests.e2e.outcome import Outcome
from tests.waiting import until

FIRST = 8  # the step of a run's first checkpoint


def stop(user: Docked) -> None:
    """Stop the session as anybody may, and go on before it has ended."""
    found = user.container()
    threading.Thread(target=found.stop, daemon=True).start()
    until(lambda: has_heard(process_of(found)))


def has_gone_on(user: Docked) -> bool:
    """Whether the first session has trained steps that are not in its first checkpoint."""
    return int(user.heartbeat(1)["step"]) > FIRST


def process_of(container: Any) -> int:
    """Its session's number among the processes of this machine."""
    return int(container.attrs["State"]["Pid"])


def has_heard(pid: int) -> bool:
    """Whether SIGTERM has reached a session: it takes one for a wish, and leaves the next to do what it always does."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return not caught & 1 << signal.SIGTERM - 1


def stopped_in_time(user: Docked, untouched: Outcome) -> None:
    """The signal comes while checkpoint 8 is on its way: the session waits for that, and commits what came after it."""

    def act() -> None:
        until(lambda: has_gone_on(user))
        stop(user)

    user.proxy.plan = Moment(kind="state", count=1, act=act)
    user.submit()
    assert user.exit_code() == 75
    why = user.ended()
    reached, trained = user.fold().reached, user.heartbeat(1)["step"]
    assert why == f"session 1: received SIGTERM; checkpoint {reached} is committed"
    assert FIRST < reached == trained, "nothing is lost"
    assert user.fold().state is State.INTERRUPTED
    assert user.resume() == DONE
    assert user.outcome() == untouched
    assert user.is_whole()


def stopped_out_of_time(user: Docked, untouched: Outcome) -> None:
    """The storage takes longer over checkpoint 24 than whoever stops the container waits."""
    user.proxy.plan = Moment(kind="state", count=3, act=lambda: user.container().stop(timeout=2))
    user.submit()
    assert user.exit_code() == 137
    assert user.ended() == "session 1: its container was killed; checkpoint 16 is committed"
    assert user.fold().state is State.INTERRUPTED
    assert user.resume() == DONE
    assert user.outcome() == untouched
    assert user.is_whole()


def test_stopped_a_run_loses_nothing_that_was_committed(users: Callable[[str], Docked], untouched: Outcome) -> None:
    patient, hasty = users("patient"), users("hasty")
    at_once(lambda: stopped_in_time(patient, untouched), lambda: stopped_out_of_time(hasty, untouched))
