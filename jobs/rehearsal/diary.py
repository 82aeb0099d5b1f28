"""What happened in a rehearsal, in the words of the ledger and of the places."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from facegan.experiment import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`at` is in seconds from the beginning, `first` to `last` are the steps that it is about, if it is about any."""

    at: float
    run: str
    what: str
    session: int | None = None
    place: str = ""
    first: int | None = None
    last: int | None = None
    why: str = ""

    def to_json(self) -> Json:
        return {**asdict(self), "at": round(self.at, 3)}


@dataclass(kw_only=True, eq=False)
class Diary:
    """Events in their order. `real` says of each run which of the experiment's steps one of the toy's stands for."""

    now: Callable[[], float]
    real: Mapping[str, Callable[[int], int]]
    events: list[Event] = field(default_factory=list)
    _places: dict[tuple[str, int], str] = field(default_factory=dict)
    _began: dict[tuple[str, int], int] = field(default_factory=dict)
    _reached: dict[str, int] = field(default_factory=dict)

    def tell(self, run: str, what: str, why: str, *, place: str = "") -> None:
        """Something that is in no ledger."""
        self.events.append(Event(at=self.now(), run=run, what=what, place=place, why=why))

    def enter(self, run: str, data: bytes) -> None:
        """An entry of a run's ledger."""
        entry = json.loads(data)
        kind, number = entry["kind"], entry.get("session")
        if kind == "intent":
            self._places[run, number] = entry["backend"]
        elif kind == "checkpoint":
            self._reached[run] = entry["step"]
        elif kind == "restored":
            self._began[run, number or 0] = entry["step"]
        told = _TOLD.get(kind)
        if told is not None:
            self._event(run, number, told(entry))

    def _event(self, run: str, number: int, said: tuple[str, str]) -> None:
        what, why = said
        real, began = self.real[run], self._began.get((run, number))
        last = self._reached.get(run, 0) if what in {"finished", "interrupted", "failed", "lost"} else None
        self.events.append(
            Event(
                at=self.now(),
                run=run,
                what=what,
                session=number,
                place=self._places[run, number],
                first=None if began is None else real(began),
                last=None if began is None or last is None else real(last),
                why=why,
            )
        )


_TOLD: dict[str, Callable[[Json], tuple[str, str]]] = {
    "intent": lambda _entry: ("asked", ""),
    "refused": lambda entry: ("refused", entry["why"]),
    "restored": lambda entry: ("begins", "" if entry.get("join") in {None, "exact"} else "another kind of GPU"),
    "report": lambda entry: (entry["outcome"], entry["why"]),
    "lost": lambda entry: ("lost", entry["why"]),
}
