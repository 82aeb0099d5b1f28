"""Following a run: one line that says how far it is, until it ends or the reader has seen enough."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from facegan.ledger import FINAL, Fold, Ledger
from facegan.length import duration
from jobs import launch
from jobs.context import Context
from jobs.run import RunView, view

LOOK_EVERY_S = 1.0
BURY_EVERY_S = 3.0


class Ticker(Protocol):
    """Where progress is shown: `show` replaces one line, `done` leaves it standing."""

    @abstractmethod
    def show(self, text: str) -> None: ...

    @abstractmethod
    def done(self) -> None: ...


def follow(context: Context, ledger: Ledger, ticker: Ticker) -> RunView:
    """Show the run until no session of it is open; how it was then.

    A session whose process is gone is declared lost on the way, so that following never hangs on the dead.
    """
    looked_for_dead = context.clock()
    while True:
        now = view(ledger, context.writer.wall_s())
        ticker.show(progress(now))
        if not ledger.fold.open:
            break
        if context.clock() - looked_for_dead >= BURY_EVERY_S:
            looked_for_dead = context.clock()
            launch.bury(context, ledger)
        context.sleep(LOOK_EVERY_S)
    ticker.done()
    return now


def wait(context: Context, ledger: Ledger, deadline: float | None) -> Fold | None:
    """Wait until no session of the run is open; `None` when the deadline came first."""
    while True:
        fold = launch.bury(context, ledger)
        if fold.state in FINAL or not fold.open:
            return fold
        if deadline is not None and context.clock() >= deadline:
            return None
        context.sleep(LOOK_EVERY_S if deadline is None else min(LOOK_EVERY_S, max(0.0, deadline - context.clock())))


def progress(now: RunView) -> str:
    """One line: step, rate, time to go, losses, last checkpoint."""
    parts = [f"{now.run}  {now.state}", f"step {now.step:,}/{now.steps:,} ({100 * now.step / now.steps:.0f} %)"]
    if now.state == "running" and now.rate > 0 and now.step < now.steps:
        parts.append(f"{now.rate:.1f} steps/s  {duration((now.steps - now.step) / now.rate)} to go")
    parts += [f"{name} {value:.2f}" for name, value in list(now.losses.items())[:3]]
    if now.checkpoint:
        parts.append(f"checkpoint {now.checkpoint:,}")
    return "  ".join([*parts, *now.flags])
