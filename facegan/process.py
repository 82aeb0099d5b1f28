"""Which process this is, and whether another one still lives: evidence, not guesses.

A process id alone proves nothing, since it is used again. With the time the process started, counted by
the kernel since boot, and the boot it belongs to, it names one process for ever.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
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


def age_s() -> float:
    """How long this process has run, in seconds: importing Python and this program included."""
    if sys.platform == "linux":
        started_s = int(_start(os.getpid()) or 0) / os.sysconf("SC_CLK_TCK")
        return max(0.0, float(Path("/proc/uptime").read_text().split()[0]) - started_s)
    return max(0.0, time.time() - psutil.Process().create_time())


def _host() -> str:
    """A name that no two machines share: a host name is not that."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            if machine := Path(path).read_text().strip():
                return f"{socket.gethostname()}-{machine[:12]}"
        except OSError:
            continue
    return f"{socket.gethostname()}-{uuid.getnode():012x}"


def _boot() -> str:
    if sys.platform == "linux":
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return str(int(psutil.boot_time()))


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
