"""The script that a machine of a cloud starts with: one template, with a few functions that each cloud has of its own.

Rendered here, from what is known before the machine is; nothing is sent. What the session is handed is in it and
holds no secret: the machine's role is what lets it reach the store.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import infra
from facegan import handed
from facegan.handed import Handed
from jobs.backends.base import Order
from jobs.refusals import InvalidJob

LARGEST = 16_384
"""Bytes that EC2 takes as user data."""

WHY = "facegan-why: "
"""Before the last thing that a machine says: why it ends."""

INSTANCE, ACCOUNT, FOUND = "@INSTANCE@", "@ACCOUNT@", "@FOUND@"
"""What only the machine knows, in what is handed over."""

REPORT_S = 10.0  # for the last entry, after the last checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How long a machine's parts may take, in seconds.

    `life_s` is its longest life, of which the session may use what is left after `start_s`. The driver of its GPU is
    waited for `driver_s`, its image `pull_s`. The container is killed `stop_s` after it was asked to stop, at the most:
    a machine that is taken back is gone by then.
    """

    life_s: float = 24 * 3600.0
    start_s: float = 3600.0
    driver_s: float = 120.0
    pull_s: float = 1800.0
    stop_s: float = 110.0

    @property
    def session_s(self) -> float:
        """How long the session itself may run."""
        return self.life_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is known of a machine before there is one: its `cloud`, its name, and where its log will be put.

    `log_url` is asked for by HTTP, in `region`, as the machine's role.
    """

    cloud: str
    name: str
    log_url: str
    region: str


def render(order: Order, machine: Machine, given: Handed, life: Life) -> str:
    """The script's text. Equal orders give equal texts.

    Raises:
        InvalidJob: it is larger than a cloud takes.
    """
    values = {
        "RUN_URL": order.run_url,
        "NUMBER": str(order.number),
        "NAME": machine.name,
        "IMAGE": str(order.bundle["digest"]),
        "GPU": order.gpu or "none",
        "LOG_URL": machine.log_url,
        "REGION": machine.region,
        "HANDED": _text(given),
        "LIFE_MIN": str(math.ceil(life.life_s / 60)),
        "DRIVER_S": str(math.ceil(life.driver_s)),
        "PULL_S": str(math.ceil(life.pull_s)),
        "STOP_S": str(math.ceil(min(order.grace_s + REPORT_S, life.stop_s))),
    }
    text = _filled(values).replace("@CLOUD@", _read(f"{machine.cloud}.sh").strip())
    if len(text.encode()) > LARGEST:
        raise InvalidJob(
            f"what the machine starts with has {len(text.encode()):,} bytes, and a cloud takes {LARGEST:,}",
            hint="shorten the store's URL or the run's --name",
        )
    return text


def why(log: str) -> str | None:
    """Why a machine ended, by the last words of its log; `None` where it does not say."""
    said = [line for line in log.splitlines() if WHY in line]
    return said[-1].partition(WHY)[2].strip() if said else None


def _filled(values: Mapping[str, str]) -> str:
    """The template with these values, each as one word of the shell."""
    lines = []
    for line in _read("start.sh").splitlines():
        name, _, value = line.partition("=")
        lines.append(f"{name}={shlex.quote(values[name])}" if value == f"@{name}@" else line)
    return "\n".join(lines) + "\n"


def _text(given: Handed) -> str:
    """What is handed over, with places left for what only the machine knows."""
    return handed.to_bytes(given).decode().replace('"found": {}', f'"found": "{FOUND}"')


def _read(name: str) -> str:
    return (Path(str(infra.__file__)).parent / "machine" / name).read_text(encoding="utf-8")
