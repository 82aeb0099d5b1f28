"""Where a run may go: what was typed now, else what the ledger remembers, else what is set."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.errors import BadInputError
from facegan.experiment import unknown
from jobs.backends import BACKENDS
from jobs.settings import Settings
from jobs.supervision.past import Relay
from jobs.supervision.seen import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a command was told of where runs may go; `None` where it was told nothing."""

    settings: Settings
    backends: tuple[str, ...] | None = None
    gpu: str | None = None

    def policy(self, relay: Relay | None) -> Policy:
        """What is allowed of a run whose ledger remembers this `relay`."""
        if self.backends is not None:
            backends, gpu = self.backends, self.gpu
        elif relay is not None:
            backends, gpu = relay.backends, self.gpu or relay.gpu
        else:
            backends, gpu = parse(self.settings.backend), self.gpu
        known = tuple(name for name in backends if name in BACKENDS)  # a newer version may know more
        limits = {
            "sessions": _count("max_sessions", self.settings.max_sessions),
            "failures": _count("max_failures", self.settings.max_failures),
        }
        return Policy(backends=known, gpu=gpu, **{name: count for name, count in limits.items() if count is not None})


def parse(text: str) -> tuple[str, ...]:
    """Backends as they are typed: `kaggle,docker`.

    Raises:
        BadInputError: one is not known, or is there twice.
    """
    names = tuple(name.strip() for name in text.split(","))
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
