"""A run whose ledger is elsewhere, to whoever would add a word to it at home."""

from __future__ import annotations

from facegan.errors import BadInputError
from facegan.ledger import Fold


def require_here(fold: Fold) -> None:
    """Refuse a word that a session on a copy could not hear, and after which its work could not be brought back.

    Raises:
        BadInputError: such a session is open; says what can be done.
    """
    if fold.carried is None:
        return
    number, backend = fold.carried.number, fold.carried.backend
    raise BadInputError(
        f"session {number} is on {backend} with a copy of the run, and hears nothing until it is back",
        hint=f"wait for it, and facegan-job resume {fold.run}; or give up what it makes: facegan-job cancel {fold.run}",
    )
