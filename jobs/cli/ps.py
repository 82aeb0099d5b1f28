"""`facegan-job ps`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from facegan.length import duration
from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.context import Context

ENDED_SHOWN = 5
AGAIN_EVERY_S = 2.0
HEADER = ("NAME", "BACKEND", "GPU", "STATE", "STEP", "SESSIONS", "CHECKPOINT", "AGE", "WHY")


def ps(
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Show every run that has ended, not only the last five.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show them again and again, until Ctrl-C.")] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List the runs: those that go on, then those that ended last."""
    context = contexts.real(settings.load({"store": store}))
    while watch:
        output.clear()
        _list(context, every=every, json=json)
        context.sleep(AGAIN_EVERY_S)
    _list(context, every=every, json=json)


def _list(context: Context, *, every: bool, json: bool) -> None:
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
        view["backend"] or view.get("was_on") or "-",
        view.get("gpu") or "-",
        " ".join([view["state"], *view["flags"]]),
        f"{view['step']:,}/{view['steps']:,}",
        str(view["sessions"]),
        f"{view['checkpoint']:,}" if view["checkpoint"] else "-",
        duration(max(0.0, now - view["at"])),
        view["why"],
    )
