"""The engine itself is restarted under a session, and killed under the next: the run ends like an untouched one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan.process import Life
from jobs.backends.docker import DockerBackend
from tests.container import daemon as daemons
from tests.container import runs
from tests.container.conftest import HOST, require
from tests.container.daemon import Daemon
from tests.container.moments import Moment
from tests.container.runs import DONE, WITHIN_S, Docked
from tests.container.test_stopped import FIRST, has_gone_on, has_heard, process_of
from tests.e2e.outcome import Outcome
from tests.e2e.runs import RUN
from tests.waiting import until

THE_MACHINES = HOST or "unix:///var/run/docker.sock"


@pytest.fixture
def daemon(engine: Any, image: str) -> Iterator[Daemon]:
    """With the image on it, as it is on the engine of the machine."""
    require(daemons.can_be_started(), "an engine of one's own takes root, dockerd and ip")
    with daemons.daemon() as found:
        found.client().api.load_image(engine.images.get(image).save(named=image))
        yield found


@pytest.fixture
def user(daemon: Daemon, image: str, moto: str, boring_environment: Path) -> Iterator[Docked]:
    client = daemon.client()
    with runs.at_an_engine(client, daemons.ADDRESS, image, moto, boring_environment / "me") as found:
        yield found.with_settings(host=daemon.url)


def restart(daemon: Daemon, user: Docked, asked: threading.Event) -> None:
    """As `systemctl restart docker` does, but for the start: that waits until the session has ended.

    Once the engine has been asked what is asked of one that lives, and the session has something to lose.
    """
    assert asked.wait(WITHIN_S)
    until(lambda: has_gone_on(user))
    session = process_of(user.container())
    daemon.send(signal.SIGTERM)
    until(lambda: has_heard(session))


def kill(daemon: Daemon) -> None:
    daemon.send(signal.SIGKILL)


def test_an_engine_that_is_restarted_or_dies_costs_no_step(user: Docked, daemon: Daemon, untouched: Outcome) -> None:
    backend = DockerBackend(user.context.settings)
    asked = threading.Event()
    user.proxy.plan = restarted = Moment(kind="state", count=1, act=lambda: restart(daemon, user, asked))
    user.submit()
    ref = user.fold().open[0].ref
    assert ref is not None
    assert backend.fate(ref).life is Life.ALIVE
    assert DockerBackend(user.context.settings, THE_MACHINES).fate(ref).life is Life.UNKNOWN, "it is another engine's"
    asked.set()
    assert restarted.over.wait(WITHIN_S)
    daemon.wait()
    assert backend.fate(ref).life is Life.UNKNOWN, "no engine, no answer"
    daemon.start()
    why, reached = user.ended(), user.fold().reached
    assert why == f"session 1: received SIGTERM; checkpoint {reached} is committed"
    assert FIRST < reached == user.heartbeat(1)["step"], "nothing is lost"

    looked = threading.Event()
    user.proxy.plan = killed = Moment(kind="state", count=2, act=lambda: (kill(daemon), looked.wait(WITHIN_S)))
    again = user.command("resume", RUN, "-d")
    assert again.code == 0, again.err
    assert killed.came.wait(WITHIN_S)
    daemon.wait()
    before = user.kinds()
    refused = user.command("resume", RUN, "-d")
    assert refused.code == 1
    assert "does not answer" in refused.err
    assert user.status()["state"] == "running", "unreachable is not dead"
    assert user.kinds() == before
    looked.set()
    assert user.command("wait", RUN, "--timeout", str(WITHIN_S)).code == 0
    assert user.status()["why"] == DONE, "a session needs its engine no more"
    daemon.start()
    assert user.outcome() == untouched
    assert user.is_whole()
    assert user.ended() == DONE
    assert (user.containers(), user.volumes()) == ([], [])
