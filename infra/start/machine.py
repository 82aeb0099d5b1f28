"""A machine that is not ours, looked at before a session begins there: what can be missing is said in words.

Nothing of the machine's own packages is replaced. What is missing and small is added.
"""

# ruff: noqa: T201, S603 - what it prints is the log; it runs pip and nvidia-smi

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any

OLDEST_PYTHON = (3, 11)
THERE = {"tensorflow": "2.18", "keras": "3.5", "numpy": "2", "pillow": "10"}  # the machine's own, never touched
ADDED = {"safetensors": "0.4.5"}  # added where it is missing or older
OF_STORE = {"s3": {"boto3": "1.36"}, "gs": {"google-cloud-storage": "3"}, "file": {}}
ENDPOINTS = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ("STORAGE_EMULATOR_HOST",)}
USUAL = {"s3": "https://s3.amazonaws.com", "gs": "https://storage.googleapis.com"}
CONNECT_S = 20.0
LONGEST_START_S = 600.0


def say(text: str) -> None:
    print(f"facegan-start: {text}", flush=True)


def python() -> None:
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise RuntimeError(f"Python {sys.version.split()[0]} is too old")


def cards() -> list[str]:
    """The names of the GPUs here, as NVIDIA's driver gives them."""
    names = of_cards("name")
    say(f"GPUs: {', '.join(names) or 'none'}")
    return names


def of_cards(field: str) -> list[str]:
    """One field of every GPU here."""
    asked = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader"]
    try:
        found = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.splitlines() if line.strip()]


def reach(store: str, environment: dict[str, str]) -> None:
    """Fail at once where the session's store cannot be reached; a folder of this machine can."""
    url = urllib.parse.urlsplit(store)
    if url.scheme == "file":
        return
    asked = urllib.parse.parse_qs(url.query).get("endpoint", [None])[0] or next(
        (environment[name] for name in ENDPOINTS[url.scheme] if environment.get(name)), USUAL[url.scheme]
    )
    at = urllib.parse.urlsplit(asked if "://" in asked else f"http://{asked}")
    where = (at.hostname, at.port or (80 if at.scheme == "http" else 443))
    try:
        socket.create_connection(where, timeout=CONNECT_S).close()
    except OSError as error:
        raise RuntimeError(f"this session cannot reach its store at {where[0]}:{where[1]} ({error})") from None


def packages(store: str) -> None:
    """Add what is missing and is pure Python or nearly so; of what is the machine's own, only look at the version."""
    for name, least in THERE.items():
        version = installed(name)
        say(f"{name} {version or 'is missing'}")
        if version is None or numbers(version) < numbers(least):
            raise RuntimeError(f"{name} {least} or newer is needed, and this machine has {version or 'none'}")
    wanted = {**ADDED, **OF_STORE[store.partition("://")[0]]}
    lacking = [f"{name}>={least}" for name, least in wanted.items() if numbers(installed(name)) < numbers(least)]
    if not lacking:
        return
    kept = [f"{name}=={installed(name)}" for name in THERE]
    say(f"adding {', '.join(lacking)}")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(kept))
        constraints.flush()
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", constraints.name, *lacking]
        if subprocess.run(install, check=False).returncode:
            raise RuntimeError(
                f"{', '.join(lacking)} could not be installed beside {', '.join(kept)}, which stay: pip says why above"
            )


def installed(name: str) -> str | None:
    """The version of a distribution; tensorflow goes by several names."""
    for each in (name, f"{name}-cpu", f"{name}-gpu"):
        try:
            return importlib.metadata.version(each)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def numbers(version: str | None) -> tuple[int, ...]:
    """A version's first numbers; none, and so less than any, of what is not there."""
    return tuple(int(part) for part in re.findall(r"[0-9]+", version or "")[:3])


def unpack(wheel: bytes, sha256: str, folder: pathlib.Path) -> None:
    """A wheel of pure Python: unpacked, it is installed, and nothing else has changed."""
    if hashlib.sha256(wheel).hexdigest() != sha256:
        raise RuntimeError("the program is not the one that was sent")
    zipfile.ZipFile(io.BytesIO(wheel)).extractall(folder)


def started(order: dict[str, Any], handed: bytes, place: pathlib.Path, **how: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
    """The session's process, its program below `place`; `how` as `subprocess.Popen` takes it, `env` beside our own.

    What it is handed goes through a pipe, so that it is in no file, argument or variable.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(place / "program"),
        "PYTHONUNBUFFERED": "1",
        "FACEGAN_HOME": str(place / "home"),
        **how.pop("env", {}),
    }
    source, sink = os.pipe()
    command = [sys.executable, "-m", "facegan", "run", order["run_url"]]
    command += ["--session", str(order["number"]), "--handed", f"/dev/fd/{source}"]
    child = subprocess.Popen(command, env=environment, cwd=place, pass_fds=(source,), **how)
    os.close(source)
    with os.fdopen(sink, "wb") as pipe, contextlib.suppress(BrokenPipeError):
        pipe.write(handed)
    return child


@contextlib.contextmanager
def ended_in_time(child: subprocess.Popen[bytes], asked_s: float, killed_s: float) -> Iterator[None]:
    """Meanwhile: ask the process to stop after so many seconds, and end it after so many. None are less than none."""
    timers = [
        threading.Timer(max(after_s, 0.0), stop, (child, number))
        for after_s, number in ((asked_s, signal.SIGTERM), (killed_s, signal.SIGKILL))
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def stop(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    say(f"this session's time is up: {number.name}")
    child.send_signal(number)


def age_s() -> float:
    """How long this machine runs: its first process is as old as it is, where that can be told."""
    own, first = since_start_s("self"), since_start_s("1")
    return first if own <= first <= own + LONGEST_START_S else own


def since_start_s(process: str) -> float:
    """How long a process runs, by the kernel's own count."""
    try:
        fields = pathlib.Path("/proc", process, "stat").read_text().rpartition(")")[2].split()
        uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
        return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0
