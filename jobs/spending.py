"""What a run has cost so far, for people: read from its ledger and the store's clock (`facegan.spending`)."""

from __future__ import annotations

from facegan import hours
from facegan.ledger import Ledger
from facegan.spending import Spending, spending

MOST = 8  # sessions that are added up without being asked to: each is some twenty requests to the store


def so_far(ledger: Ledger) -> Spending:
    """What it cost until now; of an open session that fell silent, as long as its machine may have outlived that."""
    return spending(hours.read(ledger).sessions, now_s=ledger.writer.wall_s())


def spent(ledger: Ledger, sessions: int) -> Spending | None:
    """What it cost; `None` where it had so many sessions that only the receipt adds them up."""
    return so_far(ledger) if sessions <= MOST else None
