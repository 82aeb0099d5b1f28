"""A run's hours as a table: a row a session, one for the time between them, one for all; and a row a place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facegan.experiment import Json
from facegan.hours.dividing import PARTS, Hours, SessionHours
from facegan.spending import Cost, Spending

HEADER = ("SESSION", "PLACE", "GPU", "STEPS", *(part.upper() for part in PARTS), "WHOLE", "USD", "END")
PLACES = ("PLACE", "SESSIONS", "STEPS", "OWN TIME", "ON GPUS")
NOTHING = "-"
UNKNOWN = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHours:
    """All sessions of a place: the steps they committed, and their own time in milliseconds, of it that on GPUs.

    Time on GPUs is what quotas count. They may count the start of a machine too, which no session sees.
    """

    place: str
    sessions: int
    steps: int
    own: int
    on_gpus: int

    def to_json(self) -> Json:
        names = {"place": self.place, "sessions": self.sessions, "steps": self.steps}
        return {**names, "own_ms": self.own, "on_gpus_ms": self.on_gpus}


def places(hours: Hours) -> Sequence[PlaceHours]:
    """The places in the order in which they were first asked."""
    names = dict.fromkeys(_place(each) for each in hours.sessions)
    return [_all_of(name, [each for each in hours.sessions if _place(each) == name]) for name in names]


def _all_of(name: str, sessions: Sequence[SessionHours]) -> PlaceHours:
    return PlaceHours(
        place=name,
        sessions=len(sessions),
        steps=sum(_steps(each) for each in sessions),
        own=sum(each.own for each in sessions),
        on_gpus=sum(each.own for each in sessions if each.stay.gpu),
    )


def table(hours: Hours, spending: Spending) -> Iterator[Sequence[str]]:
    """The rows below `HEADER`."""
    costs = {cost.number: cost for cost in spending.costs}
    for each in hours.sessions:
        stay = each.stay
        cells = (clock(each.parts[part]) for part in PARTS)
        yield (
            str(stay.number),
            _place(each),
            stay.gpu or NOTHING,
            _span(each),
            *cells,
            clock(each.whole),
            _usd(costs.get(stay.number)),
            stay.outcome,
        )
    yield ("between", *[NOTHING] * (3 + len(PARTS)), clock(hours.idle), NOTHING, "")
    steps, parts = f"{sum(_steps(each) for each in hours.sessions):,}", hours.parts
    yield (
        "all",
        NOTHING,
        NOTHING,
        steps,
        *(clock(parts[part]) for part in PARTS),
        clock(hours.whole),
        _all_usd(spending),
        "",
    )


def table_of_places(hours: Hours) -> Iterator[Sequence[str]]:
    """The rows below `PLACES`."""
    for each in places(hours):
        yield (each.place, str(each.sessions), f"{each.steps:,}", clock(each.own), clock(each.on_gpus))


def clock(milliseconds: int) -> str:
    """Hours, minutes and seconds, as a stop watch has them; less than a minute in seconds."""
    if milliseconds == 0:
        return NOTHING
    if milliseconds < 60_000:  # noqa: PLR2004
        return f"{milliseconds / 1000:.1f} s"
    seconds = round(milliseconds / 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _usd(cost: Cost | None) -> str:
    """What it cost; a question mark where nobody knows its price."""
    if cost is None:
        return NOTHING
    return UNKNOWN if cost.usd is None else f"{cost.usd:.2f}"


def _all_usd(spending: Spending) -> str:
    return f"{spending.usd:.2f}{f' {UNKNOWN}' if spending.unknown_hours else ''}"


def _place(session: SessionHours) -> str:
    return " ".join(part for part in (session.stay.backend, session.stay.host) if part)


def _steps(session: SessionHours) -> int:
    return max(0, session.stay.last - session.stay.first)


def _span(session: SessionHours) -> str:
    stay = session.stay
    return f"{stay.first + 1:,}-{stay.last:,}" if stay.last > stay.first else NOTHING
