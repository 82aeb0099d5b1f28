"""`facegan-job ps`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from facegan.errors import FaceganError
from facegan.length import duration
from jobs import allowances, runs, settings
from jobs import context as contexts
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Allowance
from jobs.cli import options, output
from jobs.context import Context
from jobs.notices.kept import Kept, Rested
from jobs.run import RunView, day

ENDED_SHOWN = 5
AGAIN_EVERY_S = 2.0
PATIENCE_S = 3.0  # for all places together, to say what is left of their quotas
ASK_EVERY_S = 300.0
HEADER = ("NAME", "BACKEND", "GPU", "STATE", "STEP", "SESSIONS", "CHECKPOINT", "AGE", "WHY")
QUOTA = 7  # the column before which the quota stands, where it was asked for


def ps(
    every: Annotated[
        bool, typer.Option("--all", "-a", help="Show every run that has ended, not only the last five.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show them again and again, until Ctrl-C.")] = False,
    quota: Annotated[
        bool,
        typer.Option("--quota", help="Ask the places of those that go on what is left of their quotas; so does -w."),
    ] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """List the runs: those that go on, then those that ended last."""
    context = contexts.real(settings.load({"store": store}))
    asked = _Quotas(context=context) if quota or watch else None
    while watch:
        output.clear()
        _list(context, asked, every=every, json=json)
        context.sleep(AGAIN_EVERY_S)
    _list(context, asked, every=every, json=json)


@dataclass(kw_only=True)
class _Quotas:
    """What places say is left: each is asked once in five minutes, and all together wait three seconds at the most."""

    context: Context
    said: dict[str, Allowance | FaceganError | None] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)

    def ask(self, names: Iterable[str]) -> None:
        now = self.context.clock()
        due = {name for name in names if now - self.asked_at.get(name, -ASK_EVERY_S) >= ASK_EVERY_S}
        self.said |= allowances.ask({name: open_backend(name, self.context.settings) for name in due}, PATIENCE_S)
        self.asked_at |= dict.fromkeys(due, now)


def _list(context: Context, quotas: _Quotas | None, *, every: bool, json: bool) -> None:
    rests = _rests(context)
    now = context.writer.wall_s()
    live: list[Mapping[str, Any]] = [_with_rest(view, rests, now) for view in runs.live(context)]
    if quotas is not None:
        quotas.ask(name for view in live if (name := _where(view)) in BACKENDS)
        live = [_with_quota(view, quotas.said) for view in live]
    listed = [*live, *runs.ended(context, None if every else ENDED_SHOWN)]
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say(f"no runs in {context.store.url}\nhint: facegan-job submit dcgan-mnist")
        return
    header = HEADER if quotas is None else (*HEADER[:QUOTA], "QUOTA", *HEADER[QUOTA:])
    output.table(header, (_row(view, now, with_quota=quotas is not None) for view in listed))


def _rests(context: Context) -> Mapping[str, Rested]:
    """How this machine's watches left runs. Without it, `ps` says what the ledger does."""
    try:
        return Kept(context.settings.home, context.store.url).rests()
    except (sqlite3.Error, OSError):
        return {}


def _with_rest(view: RunView, rests: Mapping[str, Rested], now: float) -> dict[str, Any]:
    """What a watch has decided since the run moved last is why it does not go on; unless its time has come."""
    rested = rests.get(view.run)
    if rested is None or rested.seq != view.seq or view.backend:
        return view.to_json()
    last = view.why.rpartition("; ")[2]
    if rested.until is not None and rested.until <= now:
        since = duration(now - rested.until)
        past = f"that was {since} ago, and no watch has looked here since"
        return {**view.to_json(), "why": f"{rested.why}; {past}; {last}"}
    return {**view.to_json(), "why": f"{rested.why}; {last}"}


def _where(view: Mapping[str, Any]) -> str:
    return str(view["backend"] or view.get("was_on") or "")


def _with_quota(view: Mapping[str, Any], said: Mapping[str, Allowance | FaceganError | None]) -> Mapping[str, Any]:
    left = said.get(_where(view))
    why = view["why"]
    if isinstance(left, Allowance) and left.left_s <= 0.0 and left.resets_at is not None and not view["backend"]:
        last = why.rpartition("; ")[2]
        why = f"waits for {_where(view)}'s quota until {day(left.resets_at.timestamp())}; {last}"
    return {**view, "quota": allowances.words(left), "why": why}


def _row(view: Mapping[str, Any], now: float, *, with_quota: bool) -> tuple[str, ...]:
    return (
        view["run"],
        _where(view) or "-",
        view.get("gpu") or "-",
        " ".join([view["state"], *view["flags"]]),
        f"{view['step']:,}/{view['steps']:,}",
        str(view["sessions"]),
        f"{view['checkpoint']:,}" if view["checkpoint"] else "-",
        *([view.get("quota", "-")] if with_quota else []),
        duration(max(0.0, now - view["at"])),
        view["why"],
    )
