"""A run's append-only history: the one truth about it (docs/architecture.md)."""

from facegan.ledger.entry import Entry
from facegan.ledger.fold import FINAL, Fold, State
from facegan.ledger.law import IllegalEntryError
from facegan.ledger.ledger import Ledger, NoRunError, Wish, Writer

__all__ = ["FINAL", "Entry", "Fold", "IllegalEntryError", "Ledger", "NoRunError", "State", "Wish", "Writer"]
