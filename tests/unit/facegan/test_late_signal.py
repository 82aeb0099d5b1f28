"""A stop that comes after the last word: the process ends with the exit code of what it did."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

LATE = """
import os, signal, sys
from facegan import runtime
from facegan.stopping import StopSignal
runtime._stop_on_signals(StopSignal(), 1.0)
runtime._ignore_signals()
class Slow:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.{name}):
        kill(process, number)  # when Python has taken its own handlers back
sys.slow = Slow()
sys.exit(75)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_after_the_report_does_not_hide_the_exit_code(name: str) -> None:
    assert hasattr(signal, name)
    assert subprocess.run([sys.executable, "-c", LATE.format(name=name)], check=False).returncode == 75
