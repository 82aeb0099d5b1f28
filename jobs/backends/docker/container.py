"""A session's container: what it is called, what is asked of the engine, and what is put into it.

All of it is decided here, and nothing is sent. A container may write into its own volume alone, and holds no
credential: those lie in a file of the volume that only the session can read.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facegan import handed
from facegan.errors import BadInputError
from facegan.experiment import Json
from facegan.handed import Handed
from jobs.backends.base import Order

SCRATCH = "/scratch"
HANDED = "handed.json"
USER = 10001  # as the image's: nobody on the engine's machine
REPORT_S = 10.0  # for the last entry, after the last checkpoint
MOST_PROCESSES = 1024
KILLED = 128 + 9
LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
RUN, SESSION, URL = "facegan.run", "facegan.session", "facegan.url"

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)([kmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a container may take: bytes of memory and cores, `None` for all there is."""

    memory: int | None = None
    cpus: float | None = None

    @classmethod
    def parse(cls, memory: str, cpus: str) -> Limits:
        """Read the settings `memory` ("4g", "512m") and `cpus` ("1.5"); an empty text sets no limit.

        Raises:
            BadInputError: they are no such amounts.
        """
        return cls(memory=_bytes(memory) if memory else None, cpus=_cores(cpus) if cpus else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a container stands: the run's URL as it is reached from inside, its network, its limits and its GPUs.

    `gpus` are indices of the engine's machine, or ("all",); `folder` is a store that is a folder of that machine,
    whose owner the session then runs as.
    """

    run_url: str
    network: str | None = None
    limits: Limits = Limits()
    gpus: Sequence[str] = ()
    folder: Path | None = None
    user: tuple[int, int] = field(default=(USER, USER))


def name(order: Order) -> str:
    """The one name of a session's container and volume. Runs of one id in two stores are two runs."""
    return f"facegan-{order.run}-{order.number}-{hashlib.sha256(order.run_url.encode()).hexdigest()[:6]}"


def labels(order: Order) -> dict[str, str]:
    return {RUN: order.run, SESSION: str(order.number), URL: order.run_url}


def config(order: Order, around: Surroundings) -> Json:
    """The body of the engine's request to create the container (Engine API, ContainerCreate)."""
    called = labels(order)
    volume = {
        "Type": "volume",
        "Source": name(order),
        "Target": SCRATCH,
        "VolumeOptions": {"Labels": called},
    }
    mounts = [volume]
    if around.folder is not None:
        mounts.append({"Type": "bind", "Source": str(around.folder), "Target": str(around.folder)})
    host: Json = {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": MOST_PROCESSES,
        "Mounts": mounts,
        "LogConfig": LOG,
    }
    if around.network is not None:
        host["NetworkMode"] = around.network
    if around.limits.memory is not None:
        host |= {"Memory": around.limits.memory, "MemorySwap": around.limits.memory}
    if around.limits.cpus is not None:
        host["NanoCpus"] = int(around.limits.cpus * 1e9)
    if around.gpus:
        chosen: Json = {"Count": -1} if tuple(around.gpus) == ("all",) else {"DeviceIDs": list(around.gpus)}
        host["DeviceRequests"] = [{"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **chosen}]
    return {
        "Image": order.bundle["id"] or order.bundle["image"],
        "Cmd": ["run", around.run_url, "--session", str(order.number), "--handed", f"{SCRATCH}/{HANDED}"],
        "User": "{}:{}".format(*around.user),
        "Labels": called,
        "StopSignal": "SIGTERM",
        "StopTimeout": math.ceil(order.grace_s + REPORT_S),
        "HostConfig": host,
    }


def parcel(given: Handed, user: tuple[int, int]) -> bytes:
    """The tar file that is put into the volume: one file, readable by the session alone."""
    data = handed.to_bytes(given)
    file = tarfile.TarInfo(HANDED)
    file.size, file.mode, (file.uid, file.gid) = len(data), 0o600, user
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(file, io.BytesIO(data))
    return packed.getvalue()


def end(described: Json) -> str:
    """How a container ended, in the words of the run's history, from the engine's description of it."""
    state, limit = described["State"], described["HostConfig"]["Memory"]
    if state["OOMKilled"]:
        within = f" of {limit / (1 << 30):.1f} GiB" if limit else ""
        return f"its container was killed for want of memory{within}"
    code = state["ExitCode"]
    if code == KILLED:
        return "its container was killed"
    said = f": {state['Error']}" if state.get("Error") else ""
    return f"its container ended with exit code {code}, without a report{said}"


def _bytes(text: str) -> int:
    found = _MEMORY.fullmatch(text.strip())
    if found is None or not float(found[1]):  # 0 is no limit, to an engine
        raise BadInputError(f'memory is an amount, not "{text}"', hint='memory = "4g", or FACEGAN_MEMORY=4g')
    return int(float(found[1]) * _UNITS[found[2].lower()])


def _cores(text: str) -> float:
    try:
        cores = float(text)
    except ValueError:
        cores = 0.0
    if not 0 < cores < math.inf:
        raise BadInputError(f'cpus is a number of cores, not "{text}"', hint='cpus = "2", or FACEGAN_CPUS=2')
    return cores
