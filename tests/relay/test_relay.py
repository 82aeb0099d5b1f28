"""One run on this machine and in containers in turn, killed in each: nobody can tell from an untouched one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.container import conftest as container
from tests.container.moments import Moment
from tests.container.runs import RUN, submission
from tests.e2e.outcome import Outcome

if TYPE_CHECKING:
    from tests.container.runs import Docked

engine, image, moto, users, untouched = (
    container.engine,
    container.image,
    container.moto,
    container.users,
    container.untouched,
)
credentials = container.credentials


@pytest.fixture
def user(users: Callable[[str], Docked]) -> Iterator[Any]:
    return users("relay")


def kill_process(user: Docked) -> None:
    machine = user.fold().open[-1].machine
    assert machine is not None
    os.kill(int(machine["pid"]), signal.SIGKILL)


def test_killed_on_this_machine_and_in_a_container_it_ends_like_the_untouched(user: Docked, untouched: Outcome) -> None:
    user.proxy.plan = Moment(kind="state", count=2, act=lambda: kill_process(user))
    submitted = user.command(*submission(), "--backend", "local,docker")
    assert submitted.code == 0, submitted.err
    user.ended()
    user.proxy.plan = Moment(kind="state", count=2, act=lambda: user.container(2).kill("SIGKILL"))
    watched = user.command("watch", RUN)
    assert watched.code == 0, watched.err
    assert "session 2 is asked of docker" in watched.err
    assert "all 48 steps are committed" in watched.err
    assert user.outcome() == untouched
    assert user.is_whole()
    entries = user.entries()
    assert [entry["backend"] for entry in entries if entry["kind"] == "intent"][:2] == ["local", "docker"]
    assert {entry["join"] for entry in entries if entry["kind"] == "restored"} == {"exact"}
    assert not [entry for entry in entries if "over" in entry], "one waited for the lease of the dead"
    assert (user.containers(), user.volumes()) == ([], []), "what has ended leaves nothing behind"
