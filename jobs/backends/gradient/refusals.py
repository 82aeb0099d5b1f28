"""From what Gradient answers to refusals that a supervisor can act on."""

from __future__ import annotations

from jobs.backends.answers import AGAIN
from jobs.backends.gradient import facts
from jobs.backends.rest import AnswerError
from jobs.refusals import KINDS, Capacity, Refusal

NO_ROOM = ("out of capacity", "no capacity", "insufficient capacity")


def of_error(error: AnswerError) -> Refusal:
    """The refusal that this answer means. One that nobody knows concludes nothing."""
    if any(part in error.message.lower() for part in NO_ROOM):
        return Capacity(f"Gradient has no room now: {error.message}", hint="facegan-job resume RUN later")
    kind, hint = facts.KINDS.get(error.status, ("uncertain", AGAIN))
    return KINDS[kind](f"Gradient refuses: {error.message}", hint=hint)
