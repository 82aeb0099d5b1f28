"""`facegan-job stop RUN`."""

from __future__ import annotations

from facegan.ledger import State
from jobs import context as contexts
from jobs import runs, settings, word
from jobs.cli import options, output


def stop(run: options.Run, store: options.Store = None) -> None:
    """Ask a run to commit a checkpoint and end its session; only `resume` continues it."""
    context = contexts.real(settings.load({"store": store}))
    fold = word.stop(context, runs.find(context, run))
    if fold.state is State.FINISHED:
        output.say(f"run {fold.run} is finished; there is nothing to stop")
    else:
        when = "its session ends within some seconds" if fold.open else "no session was open"
        output.say(f"run {fold.run} is stopped: {when}\nhint: facegan-job resume {fold.run} goes on")
