"""The entries of one run as they were written, as far as the promises go."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

LOOKED_BACK = 32  # sessions
JUST_S = 1800.0  # for which somebody may not have heard yet that the user said `resume`


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a session ended: by which `outcome`, at which committed `step`, and when.

    `began` is the step that was committed when it was asked for, `refusal` what kind of no its place said.
    """

    number: int
    place: str
    outcome: str
    began: int
    step: int
    at: float
    leased: bool
    restored: bool
    refusal: str | None = None


@dataclass(kw_only=True, eq=False)
class Line:
    """One run. What is by number is by that of a session."""

    seq: int = -1
    digest: str = "0" * 64
    steps: int = 0
    newest: int = 0
    open: dict[int, str] = field(default_factory=dict)
    leased: dict[int, str] = field(default_factory=dict)
    holder: int | None = None
    tip: tuple[int, int] | None = None
    committed: list[tuple[int, int]] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    pruned: set[str] = field(default_factory=set)
    keys: dict[int, str] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)
    ended_at: dict[int, float] = field(default_factory=dict)
    asked_of: dict[int, str] = field(default_factory=dict)
    began: dict[int, int] = field(default_factory=dict)
    restored: set[int] = field(default_factory=set)
    reported: set[int] = field(default_factory=set)
    refused: dict[str, tuple[int, float]] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    resumed_at: list[float] = field(default_factory=list)
    cancelled: bool = False
    stopped: bool = False

    @property
    def reached(self) -> int:
        return max((step for _, step in self.committed), default=0)

    def lately(self, now: float) -> list[list[End]]:
        """What ended since the user last said `resume`, newest first; and as it was before, while that may be unheard.

        No more of it than anybody looks back on: a place that was left out so long may be asked again.
        """
        heard = [at for at in self.resumed_at if at <= now - JUST_S]
        unheard = self.resumed_at[len(heard) :]
        spans = itertools.pairwise([max(heard, default=0.0), *unheard, math.inf])
        return [[end for end in reversed(self.ends) if low <= end.at < high][:LOOKED_BACK] for low, high in spans]

    def never(self, place: str, now: float) -> bool:
        """Whether a place has said twice in a row that it never will, which it would say again."""
        said = ([end.refusal for end in ends if end.place == place][:2] for ends in self.lately(now))
        return any(each in (["auth", "auth"], ["invalid", "invalid"]) for each in said)

    def has_reported(self, number: int, holder: str) -> bool:
        """Whether that process has said how its session ended, whichever number it had by then."""
        return any(each in self.reported and (each == number or self.leased.get(each) == holder) for each in self.began)
