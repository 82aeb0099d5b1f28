"""Where a run's time went, session by session: the parts make up the whole, to the millisecond.

Between sessions there is one clock, the store's: when it wrote each entry of the ledger. Inside a session its own
clock counts, which never goes back; its entries carry the sums (`facegan.spent`). No other clock is asked.
"""

from facegan.hours.dividing import Hours, SessionHours, divide
from facegan.hours.stays import Stay, Stays, as_read, read
from facegan.ledger import Entry, Ledger

__all__ = ["Hours", "SessionHours", "Stay", "Stays", "as_read", "divide", "hours", "read"]


def hours(ledger: Ledger, known: dict[int, Entry] | None = None) -> Hours:
    """Where the run's time went so far. Asks the store: one listing, some twenty entries a session.

    Entries that are `known`, by number, are not fetched again, and those that were fetched are added to them.

    Raises:
        NoRunError: there is no such run.
        DamagedError: an entry is missing or not as it was written.
        UnreachableError: the store did not answer.
    """
    return divide(read(ledger, known))
