"""Following a run: one line that says how far it is, until it ends or the reader has seen enough."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from facegan.ledger import FINAL, Fold, Ledger
from facegan.ledger.fold import OpenSession
from facegan.length import duration
from facegan.process import Life
from jobs import launch
from jobs.context import Context
from jobs.run import RunView, view

LOOK_EVERY_S = 1.0
BURY_EVERY_S = 3.0
ENDING_S = 30.0  # what a session has for its own end, once its run's is known
AWAITED_EVERY_S = 60.0  # what a carried session left, and its place does not show yet


class Undertaker:
    """Buries again and again for who looks all the time, and asks places no oftener than makes sense.

    It says, once, when the place of a session on a copy does not answer: there are no heartbeats to go by instead.
    """

    def __init__(self, context: Context, ledger: Ledger, say: Callable[[str], object]) -> None:
        self._context = context
        self._ledger = ledger
        self._say = say
        self._next = context.clock()
        self._is_silent = False

    def look(self) -> Fold:
        """The run as it is now, without the sessions that are found to be gone, where it was time to ask."""
        if self._context.clock() < self._next:
            return self._ledger.refresh()
        fold = launch.bury(self._context, self._ledger)
        now = None if fold.carried is None else launch.fate(self._context, fold.carried).life
        if fold.carried is not None and now is Life.UNKNOWN and not self._is_silent:
            self._say(_silent(self._ledger.run, fold.carried))
        self._is_silent = now is Life.UNKNOWN
        self._next = self._context.clock() + (AWAITED_EVERY_S if now is Life.GONE else BURY_EVERY_S)
        return fold


def _silent(run: str, asked: OpenSession) -> str:
    return (
        f"{asked.backend} does not say what has become of session {asked.number}, which may live; asking again\n"
        f"hint: facegan-job doctor; and should it never answer again: facegan-job resume {run} --give-up {asked.number}"
    )


class Ticker(Protocol):
    """Where progress is shown: `show` replaces one line, `done` leaves it standing."""

    @abstractmethod
    def show(self, text: str) -> None: ...

    @abstractmethod
    def done(self) -> None: ...


def follow(context: Context, ledger: Ledger, ticker: Ticker, say: Callable[[str], object]) -> RunView:
    """Show the run until no session of it is open; how it was then.

    A session whose process is gone is declared lost on the way, so that following never hangs on the dead.
    """
    undertaker = Undertaker(context, ledger, say)
    while True:
        now = view(ledger, context.writer.wall_s())
        ticker.show(progress(now))
        if not ledger.fold.open:
            break
        undertaker.look()
        context.sleep(LOOK_EVERY_S)
    ticker.done()
    return now


def wait(context: Context, ledger: Ledger, deadline: float | None, say: Callable[[str], object]) -> Fold | None:
    """Wait until no session of the run is open; `None` when the deadline came before that and before the run's end.

    A run ends a moment before its last session does: with its last step, or with the word that it is cancelled. That
    moment is waited for, since who comes next removes what the session leaves; only so long, as it may never come.
    """
    undertaker = Undertaker(context, ledger, say)
    until, is_final = math.inf if deadline is None else deadline, False
    while True:
        fold = undertaker.look()
        now = context.clock()
        if fold.state in FINAL and not is_final:
            until, is_final = min(until, now + ENDING_S), True
        if not fold.open:
            return fold
        if now >= until:
            return fold if is_final else None
        context.sleep(min(LOOK_EVERY_S, until - now))


def progress(now: RunView) -> str:
    """One line: step, rate, time to go, losses, last checkpoint."""
    parts = [f"{now.run}  {now.state}", f"step {now.step:,}/{now.steps:,} ({100 * now.step / now.steps:.0f} %)"]
    if now.state == "running" and now.rate > 0 and now.step < now.steps:
        parts.append(f"{now.rate:.1f} steps/s  {duration((now.steps - now.step) / now.rate)} to go")
    parts += [f"{name} {value:.2f}" for name, value in list(now.losses.items())[:3]]
    if now.checkpoint:
        parts.append(f"checkpoint {now.checkpoint:,}")
    return "  ".join([*parts, *now.flags])
