"""A session of facegan-job at Colab: look at the machine, run the program beside Colab's own packages, give it back.

It is a process of its own, that goes on when the notebook's kernel is restarted and when nobody is connected. What it
is handed is read and removed first. Its end is a file, written whole: `ended.json` with the exit code, or with why it
could not begin.
"""

# ruff: noqa: T201, S603 - what it prints is the log; it runs Python

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zipfile
from typing import Any

from infra.start import machine
from infra.start.machine import say

GOOD = (0, 75)  # finished; interrupted, and to be continued by the next session
LATER_S = 10.0  # between the moment at which the process is killed, and Colab's limit
MANAGER = "TBE_RUNTIME_ADDR"  # Colab's own way to give a machine back, from inside
HERE = pathlib.Path.cwd()


def main() -> None:
    """Run the session, say how it ended, and give the machine back: at once, or when there was time to read why."""
    with zipfile.ZipFile(sys.argv[0]) as whole:
        order, wheel = json.loads(whole.read("order.json")), whole.read("wheel")
    code: int | None = None
    why = ""
    try:
        code = begin(order, wheel)
    except Exception as error:  # noqa: BLE001 - whatever it was, the end has to be said
        why = str(error) if isinstance(error, RuntimeError) else repr(error)
        print(f"facegan-why: {why}", flush=True)
    else:
        print(f"facegan-exit: {code}", flush=True)
    end(code, why)
    if code not in GOOD:
        time.sleep(order["linger_s"])
    give_back()


def begin(order: dict[str, Any], wheel: bytes) -> int:
    """Look at everything that can be missing, then run the session; its exit code."""
    path = HERE / "handed.json"
    handed = json.loads(path.read_bytes())
    path.unlink()
    store = order["run_url"].rpartition("/runs/")[0]
    machine.python()
    cards(order)
    machine.reach(store, handed["environment"])
    machine.packages(store)
    place = pathlib.Path(tempfile.mkdtemp(prefix="facegan-"))
    machine.unpack(wheel, order["wheel"]["sha256"], place / "program")
    say(f"{order['wheel']['name']} {order['wheel']['sha256'][:12]}")
    left_s = order["session_s"] - max(order["margin_s"], 2 * order["grace_s"] + LATER_S) - machine.age_s()
    return session(order, json.dumps({**handed, "budget_s": left_s}).encode(), place, left_s)


def cards(order: dict[str, Any]) -> None:
    """Fail at once where Colab gave another GPU than was asked for, or none."""
    names = machine.cards()
    wanted = order["shows"]
    if wanted is None or any(wanted in name.replace("-", " ").split() for name in names):
        return
    raise RuntimeError(f"a {order['gpu']} was asked for, and Colab gave {f'a {names[0]}' if names else 'no GPU'}")


def session(order: dict[str, Any], handed: bytes, place: pathlib.Path, left_s: float) -> int:
    """Run it to its end. It knows how long it may; one that does not keep to that is asked to stop, then made to.

    What it is handed goes through a pipe, so that it is in no file, argument or variable.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(place / "program"),
        "PYTHONUNBUFFERED": "1",
        "FACEGAN_HOME": str(place / "home"),
    }
    command = [sys.executable, "-m", "facegan", "run", order["run_url"]]
    source, sink = os.pipe()
    command += ["--session", str(order["number"]), "--handed", f"/dev/fd/{source}"]
    child = subprocess.Popen(command, env=environment, cwd=place, stdin=subprocess.DEVNULL, pass_fds=(source,))
    os.close(source)
    with os.fdopen(sink, "wb") as pipe, contextlib.suppress(BrokenPipeError):
        pipe.write(handed)
    timers = [
        threading.Timer(max(left_s, 0.0) + order["grace_s"], stop, (child, signal.SIGTERM)),
        threading.Timer(max(left_s, 0.0) + 2 * order["grace_s"], stop, (child, signal.SIGKILL)),
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    code = child.wait()
    for timer in timers:
        timer.cancel()
    return code


def stop(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    say(f"this session's time is up: {number.name}")
    child.send_signal(number)


def end(code: int | None, why: str) -> None:
    """Whole or absent: whoever reads it, reads the end."""
    partial = HERE / "ended.partial"
    partial.write_text(json.dumps({"code": code, "why": why}))
    partial.replace(HERE / "ended.json")


def give_back() -> None:
    """Where that fails, the machine does nothing from now on, and Colab takes it away by itself."""
    with contextlib.suppress(OSError, KeyError, ValueError):
        address = f"http://{os.environ[MANAGER]}/unassign"
        urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=60).close()


if __name__ == "__main__":
    main()
