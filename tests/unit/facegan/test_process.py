"""Evidence about processes: a real child, alive, dead but not buried, and gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from facegan.experiment import Json
from facegan.process import Life, age_s, identify, life, this_process


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def ref_of(child: subprocess.Popen[bytes]) -> Json:
    found = identify(child.pid)
    assert found is not None
    return asdict(found)


def test_a_process_that_runs_is_alive(child: subprocess.Popen[bytes]) -> None:
    assert life(ref_of(child)) is Life.ALIVE
    assert life(this_process()) is Life.ALIVE


def test_a_process_that_was_killed_and_not_yet_waited_for_is_gone(child: subprocess.Popen[bytes]) -> None:
    ref = ref_of(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table
    assert life(ref) is Life.GONE
    assert identify(child.pid) is None


def test_a_process_that_ended_is_gone(child: subprocess.Popen[bytes]) -> None:
    ref = ref_of(child)
    child.communicate()
    assert life(ref) is Life.GONE


def test_another_process_with_its_number_is_not_it(child: subprocess.Popen[bytes]) -> None:
    assert life({**ref_of(child), "start": "1"}) is Life.GONE


def test_a_process_of_another_machine_is_unknown(child: subprocess.Popen[bytes]) -> None:
    assert life({**ref_of(child), "host": "elsewhere"}) is Life.UNKNOWN
    assert life({**ref_of(child), "host": "elsewhere", "pid": 2**22 + 1}) is Life.UNKNOWN


def test_a_process_of_another_boot_is_never_alive(child: subprocess.Popen[bytes]) -> None:
    assert life({**ref_of(child), "boot": "before"}) is not Life.ALIVE


@pytest.mark.parametrize("ref", [{}, {"pid": 1}, {"host": "h", "boot": "b", "pid": 1}, {"kernel": "user/slug"}])
def test_what_names_no_process_is_unknown(ref: Json) -> None:
    assert life(ref) is Life.UNKNOWN


def test_a_number_that_nobody_has_names_nobody() -> None:
    assert identify(2**22 + 1) is None


def test_an_identity_is_the_same_whenever_it_is_asked_for(child: subprocess.Popen[bytes]) -> None:
    first = ref_of(child)
    time.sleep(0.05)
    assert ref_of(child) == first


def test_two_processes_are_told_apart(child: subprocess.Popen[bytes]) -> None:
    here, there = this_process(), ref_of(child)
    assert here["pid"] == os.getpid()
    assert (here["host"], here["boot"]) == (there["host"], there["boot"])
    assert here["pid"] != there["pid"]


def test_the_age_of_this_process_grows_with_time() -> None:
    first = age_s()
    time.sleep(0.05)
    assert 0.0 <= first <= age_s() < 86_400.0
