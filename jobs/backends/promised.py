"""The program that a session was promised to run."""

from __future__ import annotations

from jobs.backends.base import Order
from jobs.bundle import SESSION, Wheel, wheel
from jobs.refusals import InvalidJob


def program(order: Order) -> Wheel:
    """The one that is installed here, which the order's bundle must be of.

    Raises:
        InvalidJob: another is here since.
    """
    made = wheel(SESSION)
    if (promised := order.bundle.get("sha256")) not in {None, made.sha256}:
        raise InvalidJob(
            f"session {order.number} was to run the program {str(promised)[:12]}, and another is here now",
            hint=f"facegan-job resume {order.run} starts the next session with this one",
        )
    return made
