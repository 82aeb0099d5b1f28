"""What a command works with: the user's settings, the store, who it is, and the time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from facegan.ledger import Ledger, Writer
from facegan.storage import ObjectStore, open_store
from facegan.storage.retry import PatientStore
from jobs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Passed to every use case, so that tests decide about time and chance."""

    settings: Settings
    store: ObjectStore
    writer: Writer
    clock: Callable[[], float]
    sleep: Callable[[float], object]

    def ledger(self, run: str) -> Ledger:
        return Ledger(self.store, run, self.writer)


def real(settings: Settings) -> Context:
    """The context of a command that a person typed."""
    return Context(
        settings=settings,
        store=PatientStore(open_store(settings.store), time.sleep),
        writer=Writer(holder=f"user-{secrets.token_hex(8)}", wall_s=time.time, new_id=new_id),
        clock=time.monotonic,
        sleep=time.sleep,
    )


def new_id() -> str:
    return secrets.token_hex(8)


_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # no 0 and o, no 1 and l and i
_OF_ITS_NAME = 58  # characters: an id has 63


def new_run_id(experiment: str) -> str:
    """A readable id that no other run has: checked by the create, not by looking."""
    return f"{experiment[:_OF_ITS_NAME]}-{''.join(secrets.choice(_READABLE) for _ in range(4))}"
