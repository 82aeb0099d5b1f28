"""`facegan-job ps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from facegan.length import duration
from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output

ENDED_SHOWN = 5
HEADER = ("NAME", "BACKEND", "STATE", "STEP", "SESSIONS", "CHECKPOINT", "AGE", "WHY")


def ps(
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Show every run that has ended, not only the last five.")
    ] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List the runs: those that go on, then those that ended last."""
    context = contexts.real(settings.load({"store": store}))
    shown = [view.to_json() for view in runs.live(context)]
    shown += runs.ended(context, None if every else ENDED_SHOWN)
    if json:
        output.as_json(shown)
        return
    if not shown:
        output.say(f"no runs in {context.store.url}\nhint: facegan-job submit dcgan-mnist")
        return
    now = context.writer.wall_s()
    output.table(HEADER, (_row(view, now) for view in shown))


def _row(view: Mapping[str, Any], now: float) -> tuple[str, ...]:
    return (
        view["run"],
        view["backend"] or "-",
        " ".join([view["state"], *view["flags"]]),
        f"{view['step']:,}/{view['steps']:,}",
        str(view["sessions"]),
        f"{view['checkpoint']:,}" if view["checkpoint"] else "-",
        duration(max(0.0, now - view["at"])),
        view["why"],
    )
