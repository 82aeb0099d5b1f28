"""What of a run is worth a notice: a pure function of its fold and of what a watch left it at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from facegan.errors import FaceganError
from facegan.experiment import Json
from facegan.ledger import Fold, State
from facegan.length import duration
from facegan.spending import Spending
from jobs.budget import Budget
from jobs.supervision.actions import GiveUp, Rest, Wait

LONG_S = 900.0  # a wait that is worth a word, where it is for something that comes by itself
NEARLY = 0.9  # of a budget

FINISHED, FAILED, GIVEN_UP, WAITING, BUDGET = "finished", "failed", "given-up", "waiting", "budget"


class NotSentError(FaceganError):
    """A notice did not go out. The message never has the address in it, which may be a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event of a run. `key` is the same whenever it is found again, and another for the next of its kind."""

    event: str
    key: str
    run: str
    why: str
    state: str
    step: int
    steps: int

    @property
    def text(self) -> str:
        return f"{self.run}: {self.event.replace('-', ' ')}: {self.why} (step {self.step:,} of {self.steps:,})"

    def to_json(self) -> Json:
        """What goes out. `text` and `content` are what chat programs take a message from."""
        names = ("event", "run", "why", "state", "step", "steps")
        return {**{name: getattr(self, name) for name in names}, "text": self.text, "content": self.text}


def notices(fold: Fold, rest: Rest, now: float, budget: Budget, spent: Spending | None) -> Iterator[Notice]:
    """All that is worth one now. Whoever asks again is given the same."""
    if fold.finished:
        yield _notice(fold, FINISHED, f"{fold.steps}", f"all {fold.steps:,} steps are committed")
        return
    if fold.end is not None and fold.end.outcome == State.FAILED:  # a watch may have asked for the next one already
        yield _notice(fold, FAILED, f"{fold.end.session}", f"session {fold.end.session}: {fold.end.why}")
    if isinstance(rest, GiveUp):
        yield _notice(fold, GIVEN_UP, f"{fold.newest}", rest.why)
    if isinstance(rest, Wait) and (rest.lacking or rest.until - now >= LONG_S):
        yield _notice(fold, WAITING, f"{fold.newest}", f"for {duration(rest.until - now)}: {rest.why}")
    if spent is not None and (why := _nearly(budget, spent)) is not None:
        yield _notice(fold, BUDGET, f"{budget.usd}/{budget.hours}", why)


def _nearly(budget: Budget, spent: Spending) -> str | None:
    if budget.usd and spent.usd >= NEARLY * budget.usd:
        return f"{spent.usd:.2f} of {budget.usd:g} USD are spent"
    if budget.hours and spent.hours >= NEARLY * budget.hours:
        return f"its sessions took {spent.hours:.1f} of {budget.hours:g} h"
    return None


def _notice(fold: Fold, event: str, which: str, why: str) -> Notice:
    return Notice(
        event=event,
        key=f"{event} {which}",
        run=fold.run,
        why=why,
        state=str(fold.state),
        step=fold.reached,
        steps=fold.steps,
    )
