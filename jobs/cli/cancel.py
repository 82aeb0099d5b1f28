"""`facegan-job cancel RUN`."""

from __future__ import annotations

from facegan.ledger import State
from jobs import context as contexts
from jobs import runs, settings, word
from jobs.cli import options, output


def cancel(run: options.Run, store: options.Store = None) -> None:
    """End a run for ever. What it committed stays."""
    context = contexts.real(settings.load({"store": store}))
    fold = word.cancel(context, runs.find(context, run))
    ended = "finished before it could be cancelled" if fold.state is State.FINISHED else "cancelled"
    output.say(f"run {fold.run} is {ended}\nhint: facegan-job pull {fold.run} fetches what it made")
