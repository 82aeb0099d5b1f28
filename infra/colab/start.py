"""A session of facegan-job at Colab: look at the machine, run the program beside Colab's own packages, give it back.

It is a process of its own, that goes on when the notebook's kernel is restarted and when nobody is connected. What it
is handed is read and removed first. Its end is a file, written whole: `ended.json` with the exit code, or with why it
could not begin.
"""

# ruff: noqa: T201 - what it prints is the log; it runs Python

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
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
    handed["found"] = given_cards(order)
    machine.reach(store, handed["environment"])
    machine.packages(store)
    place = pathlib.Path(tempfile.mkdtemp(prefix="facegan-"))
    machine.unpack(wheel, order["wheel"]["sha256"], place / "program")
    say(f"{order['wheel']['name']} {order['wheel']['sha256'][:12]}")
    left_s = order["session_s"] - max(order["margin_s"], 2 * order["grace_s"] + LATER_S) - age_s()
    return session(order, json.dumps({**handed, "budget_s": left_s}).encode(), place, left_s)


def age_s() -> float:
    """How long there is this machine, of any age: a command that was killed may have asked for it hours ago."""
    return max(machine.since_start_s("self"), machine.since_start_s("1"))


def given_cards(order: dict[str, Any]) -> dict[str, Any]:
    """The GPUs and their driver, for the ledger. Fails at once where Colab gave another than was asked for, or none."""
    names, drivers = machine.cards(), machine.of_cards("driver_version")
    wanted = order["shows"]
    if wanted is None or any(wanted in name.replace("-", " ").split() for name in names):
        return {"gpus": names, **({"driver": drivers[0]} if drivers else {})}
    raise RuntimeError(f"a {order['gpu']} was asked for, and Colab gave {f'a {names[0]}' if names else 'no GPU'}")


def session(order: dict[str, Any], handed: bytes, place: pathlib.Path, left_s: float) -> int:
    """Run it to its end. It knows how long it may; one that does not keep to that is asked to stop, then made to."""
    left_s, grace_s = max(left_s, 0.0), order["grace_s"]
    child = machine.started(order, handed, place, stdin=subprocess.DEVNULL)
    with machine.ended_in_time(child, left_s + grace_s, left_s + 2 * grace_s):
        return child.wait()


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
