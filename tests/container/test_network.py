"""The network is cut in the middle of a training: restored in time, nobody notices; else nothing untrue is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from facegan.ledger import State
from jobs import launch, orders
from tests.container.moments import Moment
from tests.container.runs import DONE, Docked, at_once
from tests.e2e.outcome import Outcome
from tests.e2e.runs import RUN

OUTAGE_S = 8.0
GRACE_S = 5.0


def cut(user: Docked) -> None:
    """As `docker network disconnect` does; not by force, which would only make the engine forget."""
    user.engine.networks.get("bridge").disconnect(user.container())


def restore(user: Docked) -> None:
    user.engine.networks.get("bridge").connect(user.container())


def restored(user: Docked, untouched: Outcome) -> None:
    """What was on its way is lost with the answer to it, and is asked again."""

    def act() -> None:
        cut(user)
        threading.Timer(OUTAGE_S, restore, [user]).start()

    user.proxy.plan = Moment(kind="state", count=2, act=act)
    user.submit()
    assert user.ended() == DONE
    assert user.proxy.plan.came.is_set()
    assert user.fold().newest == 1
    assert user.outcome() == untouched
    assert user.is_whole()


def not_restored(user: Docked, untouched: Outcome) -> None:
    """Stopped without a network, a session cannot say how it ended: whoever comes next asks the engine."""

    def act() -> None:
        cut(user)
        threading.Thread(target=user.container().stop, daemon=True).start()

    user.proxy.plan = moment = Moment(kind="state", count=3, act=act)
    user.create()
    context = user.context
    launch.submit(context, context.ledger(RUN), orders.place(context, None, None), print)
    assert user.exit_code() in {75, 137}
    assert moment.came.is_set()
    assert user.kinds()[-2:] == ["checkpoint", "checkpoint"], "nothing was written since"
    before = time.monotonic()
    why = user.ended()
    assert why.endswith("; checkpoint 16 is committed")
    assert why.startswith(("session 1: its container was killed", "session 1: its container ended with exit code 75"))
    assert time.monotonic() - before < 300, "it waited for the dead one's lease"
    assert user.fold().state is State.INTERRUPTED
    assert user.resume() == DONE
    assert user.outcome() == untouched
    assert user.is_whole()


def test_a_network_that_is_cut_costs_no_step(
    users: Callable[[str], Docked], untouched: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "SHORTEST_GRACE_S", GRACE_S)  # of what is launched in here: not of typed commands
    lucky, unlucky = users("lucky"), users("unlucky")
    at_once(lambda: restored(lucky, untouched), lambda: not_restored(unlucky, untouched))
