"""What became of a run's sessions, and over which backends the user lets it go: read from its ledger, newest first.

Nearly all of a long ledger are checkpoints. Every entry has the run's state as folded so far, so the few entries that
matter are found by bisection: some twenty reads for each session, however long it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from facegan.experiment import Json
from facegan.ledger import Entry, Ledger
from jobs import budget as budgets
from jobs.budget import Budget

LOOK_BACK = 32  # sessions
BEYOND = 8  # sessions before the user last said `resume`: of those, only what is known of quotas counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A session that has ended. `outcome`: finished, interrupted, failed, lost or refused.

    `began` is the last step that was committed when it was asked for, `step` the one when it ended. `leased` is
    whether it ever held the run, `restored` whether it came to take up a checkpoint, or step 0. `at` is when it
    ended, by the clock of whoever wrote that down; `until`, of a refusal, when the place said that there is more.
    Both in Unix seconds. One that was `carried` worked on a copy of the run. `excused` is what was before the user last
    said `resume`: it has had the user's answer.
    """

    number: int
    backend: str
    host: str | None
    outcome: str
    why: str
    began: int
    step: int
    at: float
    leased: bool = False
    restored: bool = False
    carried: bool = False
    excused: bool = False
    refusal: str | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Over which backends the user lets the run go, in order, on which GPU of theirs, and for how much.

    Where it is `auto`, that order is the plan's, made anew before each session.
    """

    backends: tuple[str, ...]
    gpu: str | None = None
    budget: Budget = field(default_factory=Budget)
    auto: bool = False

    def to_json(self) -> Json:
        auto = {"auto": True} if self.auto else {}
        return {"backends": list(self.backends), "gpu": self.gpu, **self.budget.to_json(), **auto}


class Past:
    """A ledger as last read, from its end backwards. Each entry is fetched once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._newest = ledger.seq
        self._known: dict[int, Entry] = {}

    def ended(self) -> tuple[Ended, ...]:
        """The sessions that have ended, the newest end first; those of long ago are left out."""
        found: list[Ended] = []
        seq, most, excused = self._newest, LOOK_BACK, False
        while len(found) < most and (number := self._end_at(seq)) is not None:
            seq = self._first(seq, lambda at, number=number: self._end_at(at) == number)  # type: ignore[misc]
            asked = self._entry(self._asked(number))
            found.append(replace(self._ended(self._entry(seq), asked), excused=excused))
            if asked.body.get("resume") and not excused:
                most, excused = min(most, len(found) + BEYOND), True
            seq -= 1
        return tuple(found)

    def relay(self) -> Relay | None:
        """What the user said last of where the run may go; `None` if nothing."""
        newest = self._ledger.fold.newest
        for number in range(newest, max(0, newest - LOOK_BACK), -1):
            said = self._entry(self._asked(number)).body.get("relay")
            if said is not None:
                return Relay(
                    backends=tuple(said["backends"]),
                    gpu=said.get("gpu"),
                    budget=budgets.from_json(said),
                    auto=bool(said.get("auto")),
                )
        return None

    def gpu_on(self, backends: Collection[str]) -> str | None:
        """The GPU that the run's newest session was asked for on, if that was on one of these backends."""
        newest = self._ledger.fold.newest
        if newest == 0:
            return None
        said = self._entry(self._asked(newest)).body
        return said.get("gpu") if said["backend"] in backends else None

    def _ended(self, end: Entry, asked: Entry) -> Ended:
        said, before = end.fold["end"], self._entry(end.seq - 1).fold
        session = next(each for each in before["open"] if each["number"] == said["session"])
        holds = session["by"] is not None and before["lease"] and before["lease"]["session"] == said["session"]
        return Ended(
            number=said["session"],
            backend=session["backend"],
            host=session.get("host"),
            outcome=said["outcome"],
            why=said["why"],
            began=asked.fold["reached"],
            step=end.fold["reached"],
            at=seconds(end.at) or 0.0,
            leased=session["by"] is not None,
            carried=bool(session.get("carried")),
            restored=bool(holds and before["tip"] is not None),
            refusal=end.body.get("refusal"),
            until=seconds(end.body.get("until") or ""),
        )

    def _asked(self, number: int) -> int:
        """Which entry asked for that session."""
        return self._first(self._newest, lambda at: self._entry(at).fold["newest"] >= number)

    def _end_at(self, seq: int) -> int | None:
        """Which session had ended last when that entry was written."""
        end = self._entry(seq).fold["end"]
        return None if end is None else int(end["session"])

    def _first(self, seq: int, holds: Callable[[int], bool]) -> int:
        """The first entry up to `seq` from which on this holds, as it does for `seq`: leaps back, and a bisection."""
        leap = 1
        while seq - leap >= 0 and holds(seq - leap):
            seq, leap = seq - leap, 2 * leap
        out, within = max(seq - leap, -1), seq
        while within - out > 1:
            middle = (within + out) // 2
            if holds(middle):
                within = middle
            else:
                out = middle
        return within

    def _entry(self, seq: int) -> Entry:
        if seq not in self._known:
            self._known[seq] = self._ledger.entry(seq)
        return self._known[seq]


def seconds(at: str) -> float | None:
    """A time as it stands in an entry, in Unix seconds; `None` for what is none."""
    try:
        return datetime.fromisoformat(at).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None
