"""What is held against a rehearsed run at its end: it is whole, and nobody can tell it from an untouched one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from facegan import layout
from facegan.checkpoints import decode_metrics
from facegan.experiment import Experiment
from facegan.ledger import Ledger
from facegan.verify import verify
from jobs.rehearsal.promises import BrokenError
from jobs.rehearsal.toy import ToyTrainer


def prove(ledger: Ledger, *, ended: bool) -> None:
    """Read all of a run again. Of one that has `ended`, every step has to be there.

    Raises:
        BrokenError: it is not whole, or not as an untouched one.
    """
    run = ledger.run
    wrong = verify(ledger).wrong
    if wrong:
        raise BrokenError(f"{run}: {wrong[0].object} {wrong[0].how}")
    fold = ledger.fold
    if ended and not fold.finished:
        raise BrokenError(f"{run}: it could have finished, and got to step {fold.reached:,} of {fold.steps:,}")
    _require_untouched(ledger, ledger.created())


def _require_untouched(ledger: Ledger, chosen: Experiment) -> None:
    """Train the same to the same step in one go: states and metrics have to be equal, each step's once."""
    toy, states = ToyTrainer(chosen), dict(_states(ledger))
    alone: dict[int, Mapping[str, float]] = {}
    for step in range(1, ledger.fold.reached + 1):
        alone[step] = toy.advance(1)[0]
        if step in states and states[step] != toy.snapshot()():
            raise BrokenError(f"{ledger.run}: the weights of step {step:,} are not those of an untouched run")
    if _curve(ledger) != alone:
        raise BrokenError(f"{ledger.run}: the curve is not that of an untouched run")


def _states(ledger: Ledger) -> Iterator[tuple[int, bytes]]:
    """Every state that is kept, by its step."""
    for seq, step in ledger.fold.good:
        yield step, ledger.store.get(ledger.entry(seq).body["key"] + layout.STATE)


def _curve(ledger: Ledger) -> dict[int, Mapping[str, float]]:
    curve: dict[int, Mapping[str, float]] = {}
    for entry in ledger.entries():
        if entry.kind != "checkpoint":
            continue
        for point in decode_metrics(ledger.store.get(entry.body["key"] + layout.METRICS)):
            if point.step in curve:
                raise BrokenError(f"{ledger.run}: step {point.step:,} is in history twice")
            curve[point.step] = {name: point.values[name] for name in ("loss", "image")}
    return curve
