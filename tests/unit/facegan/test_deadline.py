"""A session whose time to stop is used up ends by itself, whatever it is at."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facegan import handed, layout
from facegan.deadline import LATE_S, Deadline
from facegan.errors import SessionExit
from facegan.handed import Handed
from facegan.stopping import LOST_LEASE, StopCause, StopSignal, interrupted
from tests.cloud import servers

SIGNAL = StopCause(outcome="interrupted", why="received SIGTERM", grace_s=25.0)
GRACE_S = 2.0
ROOT = Path(__file__).parents[3]


class Session:
    """A session that does nothing, on a clock of its own."""

    def __init__(self) -> None:
        self.now, self.stop, self.ended, self.said = 100.0, StopSignal(), list[SessionExit](), list[str]()
        self._deadline = Deadline(self.stop, lambda: self.now, self.ended.append, self.said.append)

    def after(self, seconds: float) -> list[SessionExit]:
        self.now += seconds
        self._deadline.look()
        return self.ended


def test_it_ends_when_the_grace_is_used_and_no_sooner() -> None:
    session = Session()
    assert session.after(1e6) == []
    session.stop.give(SIGNAL)
    assert session.after(1) == []
    assert session.after(25 + LATE_S - 0.1) == []
    assert session.after(0.1) == [SessionExit.INTERRUPTED]
    assert session.said == ["the time to stop is used up: what is committed stands"]


def test_a_stop_that_nobody_enforces_takes_its_time() -> None:
    session = Session()
    session.stop.give(interrupted("stopped by the user"))
    assert session.after(0) == session.after(1e6) == []


def test_what_is_given_later_does_not_put_it_off() -> None:
    session = Session()
    session.stop.give(SIGNAL)
    session.after(0)
    session.stop.give(LOST_LEASE)
    assert session.after(25 + LATE_S) == [SessionExit.INTERRUPTED]


@pytest.mark.skipif(os.name == "nt", reason="its signals are others")
def test_a_process_whose_storage_has_fallen_silent_ends_within_its_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real one, with a real client: the server takes every question and answers none."""
    servers.require("boto3")
    for name, value in servers.NOBODY.items():
        monkeypatch.setenv(name, value)
    given = tmp_path / "handed.json"
    given.write_bytes(handed.to_bytes(Handed(grace_s=GRACE_S)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = layout.run_url(f"s3://bucket?endpoint=http://127.0.0.1:{silent.getsockname()[1]}", "dcgan-mnist-k7f3")
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "facegan", "run", url, "--handed", str(given)],
            env={**os.environ, "FACEGAN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        ) as child:
            asked, _ = silent.accept()  # it waits for an answer
            began = time.monotonic()
            child.send_signal(signal.SIGTERM)
            printed, _ = child.communicate(timeout=60)
            took_s = time.monotonic() - began
            asked.close()
    assert child.returncode == SessionExit.INTERRUPTED
    assert b"the time to stop is used up" in printed
    assert GRACE_S < took_s < GRACE_S + LATE_S + 15.0, "an unanswered question takes half a minute"
