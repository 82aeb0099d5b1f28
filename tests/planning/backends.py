"""Places that say of themselves what a test has them say, and start nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from facegan.errors import FaceganError
from jobs.backends.base import Allowance, Capabilities, Check
from jobs.settings import Settings
from tests.unit.jobs.world import FakeBackend

HOUR_S = 3600.0
KNOWN = Check(name="account", ok=True, found="signed in")


@dataclass(kw_only=True)
class Says:
    """What a place says. `left_h` is what is left of a quota of `of_h`, until `resets_at` in Unix seconds."""

    gpus: Sequence[str] = ("T4",)
    cap_h: float | None = None
    left_h: float | None = None
    of_h: float = 30.0
    resets_at: float | None = None
    checks: Sequence[Check] = (KNOWN,)
    refuses: FaceganError | None = None
    silent: FaceganError | None = None


class Place(FakeBackend):
    """One of them."""

    def __init__(self, name: str, says: Says) -> None:
        super().__init__(gpus=says.gpus)
        self.name, self._says = name, says

    def capabilities(self) -> Capabilities:
        says = self._says
        return replace(
            super().capabilities(),
            session_s=None if says.cap_h is None else says.cap_h * HOUR_S,
            data_there={"celeba": "a data set"},
        )

    def checks(self) -> Sequence[Check]:
        if self._says.refuses is not None:
            raise self._says.refuses
        return self._says.checks

    def quota(self) -> Allowance | None:
        says = self._says
        if says.silent is not None:
            raise says.silent
        if says.left_h is None:
            return None
        resets_at = None if says.resets_at is None else datetime.fromtimestamp(says.resets_at, UTC)
        return Allowance(what="GPUs", left_s=says.left_h * HOUR_S, of_s=says.of_h * HOUR_S, resets_at=resets_at)


@dataclass(kw_only=True)
class Places:
    """All of them by name; what is not among them is not set up."""

    says: dict[str, Says] = field(default_factory=dict)

    def put(self, **says: Says) -> None:
        self.says.update(says)

    def open(self, name: str, _settings: Settings, *, host: str | None = None) -> Place:
        del host
        return Place(name, self.says.get(name, Says(gpus=(), checks=())))
