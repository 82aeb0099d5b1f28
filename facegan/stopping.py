"""Why a session stops: the first cause given stands, unless a later one forbids more."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.errors import SessionExit


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCause:
    """`outcome` and `why` are what the report will say.

    `commit`: whether the state may become a final checkpoint. `report`: whether anything may be said at all.
    `grace_s`: how long the session may still take, when somebody is waiting to kill it. `code`: what its
    process ends with, when that is another than the outcome's own.
    """

    outcome: str
    why: str
    commit: bool = True
    report: bool = True
    grace_s: float | None = None
    code: SessionExit | None = None


def interrupted(why: str) -> StopCause:
    return StopCause(outcome="interrupted", why=why)


def failed(why: str, code: SessionExit = SessionExit.FAILED) -> StopCause:
    """The state is not to be trusted, or not to be had: what was committed last stands."""
    return StopCause(outcome="failed", why=why, commit=False, code=code)


def shut_out(why: str) -> StopCause:
    """Nothing more can be written: what was committed last stands, and whoever may write goes on from there."""
    return StopCause(outcome="interrupted", why=why, commit=False)


LOST_LEASE = StopCause(outcome="interrupted", why="another session holds the run", commit=False, report=False)


class StoppedError(Exception):
    """Work was left because the session is to stop; `StopSignal.cause` says why."""


class StopSignal:
    """Given from any thread or signal handler; read by the training loop between two steps.

    A plain attribute on purpose: a signal handler may not wait for a lock that the code it interrupted holds.
    """

    def __init__(self) -> None:
        self.cause: StopCause | None = None
        self.warned = False

    def warn(self) -> None:
        """Say that a stop may come without another word: a checkpoint is due now. Who makes it takes the word back."""
        self.warned = True

    def give(self, cause: StopCause) -> None:
        """Ask the session to stop. The first cause stands, but for one that forbids more.

        A state that is not to be trusted must not be committed because a signal came a moment before; and
        whoever has lost the lease must not write at all.
        """
        if self.cause is None or _forbids(cause) > _forbids(self.cause):
            self.cause = cause


def _forbids(cause: StopCause) -> int:
    return 2 if not cause.report else 1 if not cause.commit else 0
