"""`facegan-job sync [RUN…]`."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import context as contexts
from jobs import heavy, runs, settings
from jobs.cli import options, output
from jobs.context import Context
from jobs.ended import EndedRuns
from jobs.heads import Heads
from jobs.run import DAMAGED

AT_ONCE = 100  # runs a process is given: the import of MLflow is what costs


def sync(
    run: Annotated[
        list[str] | None, typer.Argument(help="Ids of runs; all that may have news, if none.", metavar="[RUN…]")
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Copy what runs have committed to MLflow. May be killed, repeated and run twice at once."""
    context = contexts.real(settings.load({"store": store}))
    wanted = [runs.find(context, name).run for name in run] if run else with_news(context)
    if not wanted:
        output.say("nothing to copy: MLflow has it all")
        return 0
    code, kept = 0, Heads(context.settings.home, context.store.url)
    for begin in range(0, len(wanted), AT_ONCE):
        some = wanted[begin : begin + AT_ONCE]
        over = [view.run for name in some if (view := runs.look(context, name)).over]  # before, not after
        accepted = kept.accepted(some)
        failed = heavy.sync(context, some, accepted, json=json, quiet=False)
        if not failed:
            kept.told(accepted)
            EndedRuns(context.settings.home, context.store.url).synced(_server(context), over)
        code = code or failed
    return code


def with_news(context: Context) -> list[str]:
    """The runs that go on, and the final ones that MLflow is not known to have whole."""
    living = [view.run for view in runs.live(context) if view.state != DAMAGED]
    return living + EndedRuns(context.settings.home, context.store.url).unsynced(_server(context))


def _server(context: Context) -> str:
    """What the tracking server is called where it is written down."""
    return settings.without_password(context.settings.tracking)
