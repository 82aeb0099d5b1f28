"""`facegan-job reap`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from facegan.errors import BadInputError, DamagedError, FaceganError
from facegan.ledger import Fold, NoRunError
from facegan.length import duration
from jobs import context as contexts
from jobs import reaping, runs, settings
from jobs.backends import BACKENDS
from jobs.cli import options, output
from jobs.context import Context
from jobs.ended import EndedRuns
from jobs.errors import Exit
from jobs.reaping import Judged, Owner

HEADER = ("BACKEND", "WHERE", "RUN", "SESSION", "STATE", "AGE", "WHOSE", "WHY")


def reap(
    backend: options.Backend = None,
    host: options.Host = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and end nothing.")] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """List the machines of ours in the clouds, and end those that no session owns."""
    context = contexts.real(settings.load({"store": store, "backend": backend}))
    runs.make_home(context)
    complaints: list[FaceganError] = []
    places = _places(context, backend, host, complaints)
    if not places and not complaints:
        output.say("no cloud is in use here\nhint: --backend ec2 --host us-east-1 names one")
    judged = reaping.survey(context, places, complaints.append)
    gone = [each for each in judged if each.owner is Owner.NOBODY]
    if not dry_run:
        gone = reaping.end(context, gone, complaints.append)
    if json:
        output.as_json([{**_to_json(each), "removed": not dry_run and each in gone} for each in judged])
    else:
        _show(judged, gone, dry_run=dry_run)
    for error in complaints:
        output.error(error.message, error.hint)
    return Exit.ERROR if complaints else Exit.OK


def _places(
    context: Context, backend: str | None, host: str | None, complaints: list[FaceganError]
) -> Sequence[tuple[str, str | None]]:
    """Where to look: where the user says, or else wherever machines of ours may be."""
    if host is not None:
        names = context.settings.backend.split(",")
        if len(names) != 1 or names[0] not in BACKENDS:
            raise BadInputError(f'"{host}" is a host of one backend', hint=f"--backend ec2 --host {host}")
        return [(names[0], host)]
    there = [*reaping.hosts(context, complaints.append), *reaping.of_runs(_folds(context))]
    asked = backend.split(",") if backend is not None else list(BACKENDS)
    return [each for each in dict.fromkeys(there) if each[0] in asked]


def _folds(context: Context) -> Iterable[Fold]:
    """The runs that may still be going on."""
    over = EndedRuns(context.settings.home, context.store.url).names()
    for name in runs.names(context):
        if name not in over:
            try:
                yield context.ledger(name).refresh()
            except (NoRunError, DamagedError):  # what was begun or removed half hides no other
                continue


def _show(judged: Sequence[Judged], gone: Sequence[Judged], *, dry_run: bool) -> None:
    if judged:
        output.table(HEADER, map(_row, judged))
    verb = "would go" if dry_run else "are gone"
    output.say(f"{len(judged):,} machines of ours; {len(gone):,} of them {verb}")


def _row(each: Judged) -> tuple[str, ...]:
    found = each.found
    age = duration(max(0.0, found.age_s))
    return (each.backend, found.where, found.run, str(found.number), found.state, age, str(each.owner), each.why)


def _to_json(each: Judged) -> dict[str, object]:
    found = dataclasses.asdict(each.found)
    return {"backend": each.backend, **found, "owner": str(each.owner), "why": each.why}
