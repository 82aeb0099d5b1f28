"""Where a run may go: what was typed now, else what the ledger remembers, else what is set."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.errors import BadInputError
from facegan.setting import unknown
from jobs.backends import BACKENDS
from jobs.budget import Budget
from jobs.settings import Settings
from jobs.supervision.past import Past, Relay
from jobs.supervision.seen import Policy

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a command was told of where runs may go, and for how much; `None` where it was told nothing."""

    settings: Settings
    backends: tuple[str, ...] | None = None
    gpu: str | None = None
    budget: Budget = field(default_factory=Budget)
    auto: bool = False

    def policy(self, relay: Relay | None, past: Past | None = None) -> Policy:
        """What is allowed of a run whose ledger remembers this `relay`; without one, the GPU is that of its `past`."""
        if self.backends is not None:
            backends, gpu, auto = self.backends, self.gpu, self.auto
        elif relay is not None:
            backends, gpu, auto = relay.backends, self.gpu or relay.gpu, relay.auto
        else:
            backends, gpu = parse(self.settings.backend), self.gpu
            auto = self.auto or backends == (AUTO,)
            backends = tuple(BACKENDS) if backends == (AUTO,) else backends
            gpu = gpu or (past.gpu_on(backends) if past else None)
        remembered = Budget() if relay is None else relay.budget
        known = tuple(name for name in backends if name in BACKENDS)  # a newer version may know more
        limits = {
            "sessions": _count("max_sessions", self.settings.max_sessions),
            "failures": _count("max_failures", self.settings.max_failures),
        }
        allowed = {name: count for name, count in limits.items() if count is not None}
        return Policy(backends=known, gpu=gpu, budget=self.budget.or_else(remembered), auto=auto, **allowed)


def parse(text: str) -> tuple[str, ...]:
    """Backends as they are typed: `kaggle,docker`; or `auto`, which stands for those that are set up here.

    Raises:
        BadInputError: one is not known, or is there twice.
    """
    if text.strip() == AUTO:
        return (AUTO,)
    names = tuple(name.strip() for name in text.split(","))
    if AUTO in names:
        raise BadInputError(f'"{AUTO}" is all that are set up here, not "{text}"', hint=f"--backend {AUTO}")
    for name in names:
        if name not in BACKENDS:
            raise unknown("backend", name, BACKENDS)
    if len(set(names)) < len(names):
        raise BadInputError(f'"{text}" names a backend twice', hint="the first of them that can is taken each time")
    return names


def _count(key: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise BadInputError(f'{key} must be a whole number from 1 on, not "{text}"', hint=f'{key} = "3"')
    return int(text)
