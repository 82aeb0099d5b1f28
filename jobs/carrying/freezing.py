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
    run, number, backend = fold.run, fold.carried.number, fold.carried.backend
    raise BadInputError(
        f"session {number} is on {backend} with a copy of the run, and hears nothing until it is back",
        hint=f"facegan-job wait {run} brings it home; or to go on without what it makes: {without(run, number)}",
    )


def without(run: str, number: int) -> str:
    """What the user types to go on without what that session makes, where its place will never answer."""
    return f"facegan-job resume {run} --give-up {number}"
