"""What a run has committed, read in the order in which it became history.

Each step's metrics count once: those committed first. A picture is the one committed first of its step
and name. Damaged objects are passed over here and named, so that one bad object hides nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from facegan import layout
from facegan.checkpoints import Damage, ObjectDamagedError, Point, Sample, decode_metrics, read
from facegan.ledger import Entry, Ledger


@dataclass(kw_only=True)
class History:
    """Reads a run's committed points and pictures, checkpoint by checkpoint.

    `damaged` fills as objects are read: those that are not what was committed.
    """

    ledger: Ledger
    damaged: list[Damage] = field(default_factory=list)
    _steps: set[int] = field(default_factory=set)
    _pictures: set[str] = field(default_factory=set)

    def checkpoints(self, *, after: int = -1) -> Iterator[Entry]:
        """The entries of all committed checkpoints with a number higher than `after`, in their order."""
        return (entry for entry in self.ledger.entries(after=after) if entry.kind == "checkpoint")

    def points(self, entry: Entry) -> list[Point]:
        """The metrics that this checkpoint made history, by step."""
        data = self._read(entry, layout.METRICS)
        fresh = [] if data is None else [p for p in decode_metrics(data) if p.step not in self._steps]
        self._steps.update(point.step for point in fresh)
        return fresh

    def samples(self, entry: Entry) -> list[Sample]:
        """The pictures that this checkpoint made history."""
        fresh = []
        for name in entry.body["objects"]:
            if name.startswith(layout.SAMPLES) and name not in self._pictures:
                png = self._read(entry, name)
                if png is not None:
                    self._pictures.add(name)
                    step, picture = layout.sample_parts(name)
                    fresh.append(Sample(step=step, name=picture, png=png))
        return fresh

    def _read(self, entry: Entry, name: str) -> bytes | None:
        try:
            return read(self.ledger.store, entry, name)
        except ObjectDamagedError as error:
            self.damaged.append(error.damage)
            return None
