"""`facegan-job cancel RUN`."""

from __future__ import annotations

from typing import Annotated

import typer

from facegan.ledger import State
from jobs import context as contexts
from jobs import runs, settings, word
from jobs.cli import options, output
from jobs.errors import Exit


def cancel(
    run: options.Run,
    delete: Annotated[
        bool,
        typer.Option("--delete", help="End a session even where its place then forgets all that it printed."),
    ] = False,
    give_up: options.GiveUp = None,
    store: options.Store = None,
) -> int:
    """End a run for ever, and its session where it runs. What it committed stays."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    if give_up is not None:
        word.give_up(context, ledger, give_up, output.say)
    fold = word.cancel(context, ledger, delete=delete)
    ended = "finished before it could be cancelled" if fold.state is State.FINISHED else "cancelled"
    output.say(f"run {fold.run} is {ended}")
    try:
        left = word.end(context, ledger, output.say, delete=delete)
    except KeyboardInterrupt:
        output.say(f"\nits sessions end as they hear of it\nhint: facegan-job cancel {fold.run} ends the others too")
        return Exit.DETACHED
    for each in left:
        output.error(f"session {each.session} may live on, on {each.backend}: {each.why}", each.hint)
    for session in ledger.fold.open:
        if session.number not in {each.session for each in left}:
            output.say(f"session {session.number} was told to end, on {session.backend}, and has not yet")
    output.say(f"hint: facegan-job pull {fold.run} fetches what it made")
    return Exit.ERROR if left else Exit.OK
