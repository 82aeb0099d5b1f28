"""Why a session stops: the first cause given wins, whoever gives it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCause:
    """`outcome` and `why` are what the report will say.

    `commit`: whether the state may become a final checkpoint. `report`: whether anything may be said at all.
    `grace_s`: how long the session may still take, when somebody is waiting to kill it.
    """

    outcome: str
    why: str
    commit: bool = True
    report: bool = True
    grace_s: float | None = None


def interrupted(why: str) -> StopCause:
    return StopCause(outcome="interrupted", why=why)


def failed(why: str) -> StopCause:
    """The state is not to be trusted, or not to be had: what was committed last stands."""
    return StopCause(outcome="failed", why=why, commit=False)


LOST_LEASE = StopCause(outcome="interrupted", why="another session holds the run", commit=False, report=False)


class StopSignal:
    """Given from any thread or signal handler; read by the training loop between two steps.

    A plain attribute on purpose: a signal handler may not wait for a lock that the code it interrupted holds.
    """

    def __init__(self) -> None:
        self.cause: StopCause | None = None

    def give(self, cause: StopCause) -> None:
        """Ask the session to stop. A lost lease outranks every other cause: it forbids writing."""
        if self.cause is None or cause is LOST_LEASE:
            self.cause = cause
