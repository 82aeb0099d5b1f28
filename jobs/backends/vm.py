"""The script that a machine of a cloud starts with: one template, with a few functions that each cloud has of its own.

Rendered here, from what is known before the machine is; nothing is sent. What the session is handed is in it and
holds no secret: the machine's role is what lets it reach the store.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import infra
from facegan import handed, layout
from facegan.handed import Handed
from jobs.backends.base import Order
from jobs.errors import NotSetUpError
from jobs.refusals import Capacity, InvalidJob

LARGEST = 16_384
"""Bytes that EC2 takes as user data."""

WHY = "facegan-why: "
"""Before the last thing that a machine says: why it ends."""

INSTANCE, ACCOUNT, FOUND, BUDGET = "@INSTANCE@", "@ACCOUNT@", "@FOUND@", "@BUDGET@"
"""What only the machine knows, in what is handed over."""

MARKETS = SPOT, ON_DEMAND = "spot", "on-demand"
SHORTEST_START_S = 600.0  # for a machine to be ready, where little is paid for
BOOT_S = 120.0  # before its script counts, and after
REPORT_S = 10.0  # for the last entry, after the last checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How long a machine's parts may take, in seconds.

    `life_s` is its longest life, of which the session may use what is left after `start_s`, or after what its start
    really took, if that is less. The driver of its GPU is
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
        return max(0.0, self.life_s - self.start_s)

    def grace_s(self, wanted_s: float) -> float:
        """How long the session may take between the wish to stop it and its end: its container has a bit longer."""
        return max(0.0, min(wanted_s, self.stop_s - REPORT_S))

    def within(self, limit_s: float | None) -> Life:
        """The same, for no longer than that: of a short life, less is kept for its start. Whole minutes."""
        if limit_s is None or limit_s >= self.life_s:
            return self
        life_s = max(0.0, limit_s - BOOT_S) // 60 * 60.0
        return replace(self, life_s=life_s, start_s=min(self.start_s, max(SHORTEST_START_S, life_s / 10)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A machine that may be had: a type, in a zone."""

    type: str
    zone: str

    def __str__(self) -> str:
        return f"{self.type} in {self.zone}"


def no_room(cloud: str, tried: Sequence[Candidate], code: str) -> Capacity:
    """None of them could be had; `code` is what the cloud says of the last one."""
    return Capacity(
        f"{cloud} has no room now for {', '.join(map(str, tried))}: {code}",
        hint='facegan-job resume RUN later, or in another region: --host NAME; market = "on-demand" costs more',
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is known of a machine before there is one: its `cloud`, its name, and where its log will be put.

    `log_url` is asked for by HTTP, in `region`, as the machine's role.
    """

    cloud: str
    name: str
    log_url: str
    region: str


def pinned(image: str, place: str) -> str:
    """The image's name with its digest.

    Raises:
        NotSetUpError: it is not set, or has none.
    """
    if "@sha256:" in image and "/" in image:
        return image
    said = f'image "{image}" is not named by its digest in a registry' if image else "no image is set"
    raise NotSetUpError(
        f"{said}, and a machine of {place} has to pull it from one",
        hint="facegan-job image push REGISTRY/NAME prints the line for facegan.toml",
    )


def market(named: str) -> str:
    """How machines are paid for: on spot, unless that is settled otherwise.

    Raises:
        NotSetUpError: there is no such market.
    """
    if (found := named or MARKETS[0]) not in MARKETS:
        raise NotSetUpError(f'there is no market "{found}"', hint=f'market = "{MARKETS[0]}" or "{MARKETS[1]}"')
    return found


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
        "BUDGET_S": str(math.floor(given.budget_s or life.session_s)),
        "LIFE_MIN": str(math.ceil(life.life_s / 60)),
        "DRIVER_S": str(math.ceil(life.driver_s)),
        "PULL_S": str(math.ceil(life.pull_s)),
        "STOP_S": str(math.ceil(life.grace_s(order.grace_s) + REPORT_S)),
    }
    text = _filled(values).replace("@CLOUD@", _read(f"{machine.cloud}.sh").strip())
    if len(text.encode()) > LARGEST:
        raise InvalidJob(
            f"what the machine starts with has {len(text.encode()):,} bytes, and a cloud takes {LARGEST:,}",
            hint="shorten the store's URL or the run's --name",
        )
    return text


def log_key(order: Order) -> str:
    """The object that the machine's log is put into."""
    _, run = layout.split_run_url(order.run_url)
    return layout.machine_log(run, order.number)


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
    return json.dumps({**json.loads(handed.to_bytes(given)), "found": FOUND, "budget_s": BUDGET})


def _read(name: str) -> str:
    return (Path(str(infra.__file__)).parent / "machine" / name).read_text(encoding="utf-8")
