"""Which of a run's pictures a page shows, and reading them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from facegan import layout
from facegan.checkpoints import Damage, ObjectDamagedError, read
from facegan.ledger import Entry
from facegan.storage.base import ObjectStore

MOST = 8  # pictures of one name: a page of a long run must stay one that can be sent
BESIDE = "beside"  # what pictures of real images beside generated ones are called, or begin with


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One committed picture: a PNG file."""

    step: int
    name: str
    png: bytes

    @property
    def url(self) -> str:
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


@dataclass(kw_only=True)
class Album:
    """A run's pictures, by name, of steps spread over the run. `damaged` fills as they are read."""

    store: ObjectStore
    damaged: list[Damage] = field(default_factory=list)

    def through_time(self, entries: Iterable[Entry]) -> tuple[tuple[Picture, ...], ...]:
        """Those of the fixed latents, a sequence a name: first to last."""
        held = [self._read(steps) for name, steps in _committed(entries).items() if not name.startswith(BESIDE)]
        return tuple(pictures for pictures in held if pictures)

    def beside(self, entries: Iterable[Entry]) -> tuple[Picture, ...]:
        """The last of those that show real images beside generated ones."""
        held = [self._read(steps) for name, steps in _committed(entries).items() if name.startswith(BESIDE)]
        return tuple(pictures[-1] for pictures in held if pictures)

    def _read(self, steps: Mapping[int, Sequence[tuple[Entry, str]]]) -> tuple[Picture, ...]:
        found = (self._first_whole(steps[step]) for step in spread(sorted(steps), MOST))
        return tuple(picture for picture in found if picture is not None)

    def _first_whole(self, committed: Sequence[tuple[Entry, str]]) -> Picture | None:
        for entry, name in committed:
            step, picture = layout.sample_parts(name)
            try:
                return Picture(step=step, name=picture, png=read(self.store, entry, name))
            except ObjectDamagedError as error:
                self.damaged.append(error.damage)
        return None


def spread(steps: Sequence[int], most: int) -> list[int]:
    """At most so many of the steps, which ascend: the first, the last, and those that lie evenly between."""
    if len(steps) <= most:
        return list(steps)
    last = len(steps) - 1
    return [steps[round(place * last / (most - 1))] for place in range(most)]


def _committed(entries: Iterable[Entry]) -> dict[str, dict[int, list[tuple[Entry, str]]]]:
    """Where each picture was committed, the first time first: name -> step -> entries and objects."""
    found: dict[str, dict[int, list[tuple[Entry, str]]]] = {}
    for entry in entries:
        for name in entry.body["objects"] if entry.kind == "checkpoint" else ():
            if name.startswith(layout.SAMPLES):
                step, picture = layout.sample_parts(name)
                found.setdefault(picture, {}).setdefault(step, []).append((entry, name))
    return {name: found[name] for name in sorted(found)}
