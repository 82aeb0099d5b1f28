"""Which process this is, and whether another one still lives: evidence, not guesses.

A process id alone proves nothing, since it is used again. With the time the process started, counted by
the kernel since boot, and the boot it belongs to, it names one process for ever.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from facegan.experiment import Json

if sys.platform != "linux":
    import psutil


class Life(Enum):
    """What is known of a process. Unknown is never taken for gone."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process, for ever: `start` is its start time in the kernel's own count."""

    host: str
    boot: str
    pid: int
    start: str


def identify(pid: int) -> Identity | None:
    """The process that has this id now; `None` if there is none, or only its remains."""
    start = _start(pid)
    return None if start is None else Identity(host=_host(), boot=_boot(), pid=pid, start=start)


def this_process() -> Json:
    found = identify(os.getpid())
    return asdict(found) if found else {}


def life(ref: Json) -> Life:
    """Whether the process of this identity lives. Only its own host can tell."""
    try:
        named = Identity(**{key: ref[key] for key in ("host", "boot", "pid", "start")})
    except (KeyError, TypeError):
        return Life.UNKNOWN
    if named.host != _host():
        return Life.UNKNOWN
    return Life.ALIVE if identify(named.pid) == named else Life.GONE


def send(ref: Json, number: signal.Signals) -> Life:
    """Send a signal to the process of this identity, and to no other; what was known of it then.

    The handle is taken first: whatever takes the process' id after it has been identified is not what it holds.
    """
    pid = ref.get("pid")
    if life(ref) is not Life.ALIVE or not isinstance(pid, int):
        return life(ref)
    with contextlib.suppress(ProcessLookupError):
        if sys.platform != "linux":
            os.kill(pid, number)
            return Life.ALIVE
        handle = os.pidfd_open(pid)
        try:
            if life(ref) is Life.ALIVE:
                signal.pidfd_send_signal(handle, number)
                return Life.ALIVE
        finally:
            os.close(handle)
    return Life.GONE


def age_s() -> float:
    """How long this process has run, in seconds: importing Python and this program included."""
    if sys.platform != "linux":
        return max(0.0, time.time() - float(psutil.Process().create_time()))
    started_s = int(_start(os.getpid()) or 0) / os.sysconf("SC_CLK_TCK")
    return max(0.0, float(Path("/proc/uptime").read_text().split()[0]) - started_s)


def everyone() -> Iterator[tuple[int, list[str]]]:
    """Every process that can be seen, by id, with its arguments."""
    if sys.platform == "linux":
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):  # it ended meanwhile, or is none of ours
                    arguments = (folder / "cmdline").read_bytes().decode(errors="replace")
                    yield int(folder.name), arguments.rstrip("\0").split("\0")
    else:
        for found in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                yield found.pid, found.cmdline()


def _host() -> str:
    """A name that no two machines share: a host name alone is not that.

    Process ids mean something within one namespace only, so a container is a host of its own.
    """
    if sys.platform != "linux":
        return f"{socket.gethostname()}-{uuid.getnode():012x}"
    namespace = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with contextlib.suppress(OSError):
            if machine := Path(path).read_text().strip():
                return f"{socket.gethostname()}-{machine[:12]}-{namespace}"
    return f"{socket.gethostname()}-{uuid.getnode():012x}-{namespace}"


def _boot() -> str:
    if sys.platform != "linux":
        return str(int(psutil.boot_time()))
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start(pid: int) -> str | None:
    if sys.platform != "linux":
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
        except psutil.NoSuchProcess:
            return None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    state, start = fields[0], fields[19]
    return None if state in "ZX" else start
