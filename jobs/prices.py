"""What an hour costs where, as far as it is known: the dated table of `infra/gpus.toml`, and the user's own word."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import infra
from facegan.experiment import Json
from jobs.backends.known import Sure
from jobs.backends.vm import ON_DEMAND, SPOT
from jobs.errors import NotSetUpError

FREE, OWN, SAID = "free", "own", "said"
TABLE_OF = {"batch": "ec2"}
"""Backends whose machines are another's."""

AT_HOME = frozenset({"local", "docker"})
"""Backends whose machines are the user's own, unless the user says what they cost."""

ON_SPOT = frozenset({"ec2", "gce", "batch"})
"""Backends that have machines on spot, each host of which is a region or in one."""

ZONE = re.compile(r"(?<=\d)-[a-z]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A GPU at a backend, or (`gpu` is empty) a machine without one: a row of the table.

    `called` are the place's names of what has it, in the order in which they are tried, and the prices, in dollars an
    hour, stand in the same order; empty where they are not known. `memory_gib` is of one card. `session_h` is the
    longest session in hours, `None` where the place has no limit. `sure` is how sure the price is, as of `seen`.
    """

    backend: str
    sure: Sure
    seen: str
    source: str
    gpu: str = ""
    called: Sequence[str] = ()
    cards: int = 1
    memory_gib: int = 0
    session_h: float | None = None
    free: bool = False
    spot_usd: Sequence[float] = ()
    on_demand_usd: Sequence[float] = ()
    region: str = ""
    quota: str = ""

    def to_json(self) -> Json:
        names = ("backend", "gpu", "cards", "memory_gib", "session_h", "free", "region", "quota", "seen", "source")
        lists = ("called", "spot_usd", "on_demand_usd")
        said = {name: getattr(self, name) for name in names} | {name: list(getattr(self, name)) for name in lists}
        return {**said, "sure": self.sure.name.lower()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour of a session costs: `usd_h` dollars, `None` where nobody knows; what is budgeted with.

    Of several machines that may be tried it is that of the dearest. `market` is one of the words above; `most`, whether
    it is only known to be no more, as of a machine on spot whose price on demand is known.
    """

    usd_h: float | None
    market: str
    most: bool = False
    seen: str = ""
    sure: str = ""
    region: str = ""

    def to_json(self) -> Json:
        """As an `intent` has it."""
        said = {name: value for name in ("most", "seen", "sure", "region") if (value := getattr(self, name))}
        return {"usd_h": self.usd_h, "market": self.market, **said}

    def __str__(self) -> str:
        if self.usd_h is None:
            return f"a price that is not known{' in ' if self.region else ''}{self.region}"
        if self.market in {FREE, OWN}:
            return "nothing to pay"
        where = f"{', ' if self.region else ''}{self.region}"
        if self.market == SAID:
            return f"{self.usd_h:.3f} USD an hour, as you say"
        return f"{'at most ' if self.most else ''}{self.usd_h:.3f} USD an hour ({self.market}{where}, {self.seen})"


@functools.cache
def table() -> Sequence[Offered]:
    """All rows of the table: those of GPUs, then those of machines without one."""
    path = Path(str(infra.__file__)).parent / "gpus.toml"
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    rows = [*found["gpu"], *found["machine"]]
    return tuple(Offered(**{**row, "sure": Sure[row["sure"].upper()]}) for row in rows)


def offered(backend: str, gpu: str | None) -> Offered | None:
    """The row of this GPU, or of none, at a backend; letters of either case."""
    at, name = TABLE_OF.get(backend, backend), (gpu or "").lower()
    return next((row for row in table() if row.backend == at and row.gpu.lower() == name), None)


def price(backend: str, gpu: str | None, market: str = "", host: str | None = None, said: float | None = None) -> Price:
    """What an hour costs there. `said` is the user's own word: it counts wherever money may be asked.

    A machine of the user's own costs nothing, unless it is another `host` of theirs, and they say what it costs. In
    another region than the table's, a price is not known: it may be more there.
    """
    if backend in AT_HOME:
        return Price(usd_h=0.0, market=OWN) if said is None or host is None else Price(usd_h=said, market=SAID)
    row = offered(backend, gpu)
    if row is not None and row.free:
        return Price(usd_h=0.0, market=FREE, seen=row.seen, sure=row.sure.name.lower())
    if said is not None:
        return Price(usd_h=said, market=SAID)
    chosen = (market or SPOT) if backend in ON_SPOT else ON_DEMAND
    if row is None or not row.on_demand_usd:
        return Price(usd_h=None, market=chosen)
    if (there := _region(backend, host)) not in {None, row.region}:
        return Price(usd_h=None, market=chosen, region=there or "")
    on_spot = chosen == SPOT and bool(row.spot_usd)
    return Price(
        usd_h=max(row.spot_usd if on_spot else row.on_demand_usd),
        market=chosen,
        most=chosen == SPOT and not on_spot,
        seen=row.seen,
        sure=row.sure.name.lower(),
        region=row.region,
    )


def _region(backend: str, host: str | None) -> str | None:
    """The region that a host of these backends is or is in: it may be a zone, and have a project before it."""
    if host is None or backend not in ON_SPOT:
        return None
    return ZONE.sub("", host.rpartition("/")[2])


def parse(text: str, key: str = "price") -> float | None:
    """Dollars as they are set or typed; `None` for nothing.

    Raises:
        NotSetUpError: it is no amount.
    """
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0.0 <= found < float("inf"):
        raise NotSetUpError(f'{key} must be an amount in US dollars, not "{text}"', hint=f'{key} = "0.25"')
    return found
