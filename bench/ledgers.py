"""Ledgers for measurements, written by the product's own code."""

from __future__ import annotations

import itertools
import time

from facegan.experiment import Experiment
from facegan.ledger import Fold, Ledger, Wish, Writer
from facegan.storage.base import ObjectStore
from jobs import recipe


def ledger_with(store: ObjectStore, run: str, chosen: Experiment, *wishes: Wish) -> Ledger:
    """A new run with these entries after its first."""
    numbers = itertools.count()
    ledger = Ledger(store, run, Writer(holder="bench", wall_s=time.time, new_id=lambda: str(next(numbers))))
    ledger.create(recipe.created_body(run, chosen))
    for wish in wishes:
        append(ledger, wish)
    return ledger


def append(ledger: Ledger, wish: Wish) -> None:
    """Append exactly this."""
    asked = iter([wish])

    def decide(_: Fold) -> Wish | None:
        return next(asked, None)

    ledger.append(decide)


INTENT = Wish(kind="intent", body={"session": 1, "backend": "local"})
LEASE = Wish(kind="lease", body={"session": 1, "machine": {}})
RESTORED = Wish(kind="restored", body={"checkpoint": None, "step": 0, "damaged": [], "determinism": {}})
