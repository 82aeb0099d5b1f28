"""A container that is started again, by hand or by its engine: its number is used, so it asks for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.container.moments import Moment
from tests.container.runs import DONE, WITHIN_S, Docked, at_once
from tests.container.test_stopped import stop
from tests.e2e.outcome import Outcome
from tests.e2e.runs import RUN
from tests.waiting import until


def kill_process(engine: Any, image: str, container: Any) -> None:
    """SIGKILL from the engine's machine: a kill by the engine is a stop by hand, which no policy undoes."""
    container.reload()
    engine.containers.run(
        image, ["kill", "-KILL", str(container.attrs["State"]["Pid"])],
        entrypoint=["bash", "-c", '"$0" "$@"'], user="0", pid_mode="host", remove=True,
    )  # fmt: skip


def started_by_hand(user: Docked, untouched: Outcome) -> None:
    """After its report, before a command has swept its container."""
    user.proxy.plan = Moment(kind="state", count=1, act=lambda: stop(user))
    user.submit()
    assert user.exit_code() == 75
    asked = threading.Event()
    user.proxy.plan = Moment(kind="state", act=lambda: asked.wait(WITHIN_S))  # it is there when it is asked for
    user.container().start()
    until(lambda: user.fold().holder)
    assert user.fold().holder.number == 2
    again = user.command("resume", RUN, "-d")
    assert again.code == 0, again.err
    assert "session 2 is alive on docker" in again.err
    asked.set()
    require_one_container_to_the_end(user, untouched)


def started_by_its_engine(user: Docked, untouched: Outcome) -> None:
    """After a death without a report: it watches its own former self for the lease time."""

    def act() -> None:
        found = user.container()
        found.update(restart_policy={"Name": "on-failure", "MaximumRetryCount": 3})
        kill_process(user.engine, user.image, found)

    user.proxy.plan = Moment(kind="state", count=3, act=act)
    user.submit("session.lease_s=5")
    until(lambda: user.fold().newest == 2)
    require_one_container_to_the_end(user, untouched)
    assert [entry["over"] for entry in user.entries() if "over" in entry] == [1]


def require_one_container_to_the_end(user: Docked, untouched: Outcome) -> None:
    assert len(user.containers()) == 1
    assert user.ended() == DONE
    assert user.fold().newest == 2
    assert user.outcome() == untouched
    assert user.is_whole()
    assert (user.containers(), user.volumes()) == ([], [])


def test_a_restarted_container_takes_the_next_number(users: Callable[[str], Docked], untouched: Outcome) -> None:
    by_hand, by_its_engine = users("by-hand"), users("by-its-engine")
    at_once(lambda: started_by_hand(by_hand, untouched), lambda: started_by_its_engine(by_its_engine, untouched))
