"""`facegan-job verify RUN`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from facegan.ledger import Ledger
from facegan.verify import Head, Verdict
from facegan.verify import verify as read_and_judge
from jobs import context as contexts
from jobs import heads, heavy, runs, settings
from jobs.cli import options, output
from jobs.context import Context
from jobs.errors import Exit
from jobs.heads import Heads

MLFLOW = "MLflow"


def verify(
    run: options.Run,
    tracking: Annotated[
        bool, typer.Option("--tracking", help="Hold it against what MLflow was told of it, too.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the ledger as it is, whatever was seen of it here before.")
    ] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Read a whole run again, and prove that nothing of it is lost, changed or counted twice."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run, checked=False)
    kept = Heads(context.settings.home, context.store.url)
    seen = {} if accept else _seen(context, ledger, kept, tracking=tracking)
    verdict = read_and_judge(ledger, {who: head for who, head in seen.items() if head is not None})
    if not verdict.wrong:  # only what is whole in itself is taken as it is: of the rest, what was seen stays evidence
        if accept:
            kept.accept(ledger.run)
        heads.look(kept, ledger)
    if json:
        said = {who: asdict(head) if head else None for who, head in seen.items()}
        output.as_json({"run": ledger.run, "whole": not verdict.wrong, **asdict(verdict), "seen": said})
    else:
        for line in _lines(ledger, verdict, seen):
            output.data(line)
    return Exit.INTEGRITY if verdict.wrong else Exit.OK


def _seen(context: Context, ledger: Ledger, kept: Heads, *, tracking: bool) -> Mapping[str, Head | None]:
    """The newest entry that others than its sessions have seen; `None` for who has seen none."""
    here: dict[str, Head | None] = {heads.HERE: kept.seen(ledger.run)}
    return {**here, MLFLOW: heavy.head(context, ledger.run)} if tracking else here


def _lines(ledger: Ledger, verdict: Verdict, seen: Mapping[str, Head | None]) -> Iterator[str]:
    yield (
        f"{ledger.run}: {verdict.entries:,} entries chained, {verdict.objects:,} objects of "
        f"{verdict.size / 1e6:,.1f} MB read, metrics of {verdict.steps:,} steps, each once"
        if not verdict.wrong
        else f"{ledger.run}: {len(verdict.wrong)} things are wrong"
    )
    for who, head in seen.items():
        if head is None:
            yield f"  seen   {who} has seen nothing of it before: there is no head to compare with"
        elif not verdict.wrong:
            yield f"  seen   entry {head.seq:,} is as {who} saw it last"
    for found in verdict.known:
        yield f"  known  {found.object} {found.how}; found by a session, its steps were trained again"
    for found in verdict.wrong:
        yield f"  wrong  {found.object} {found.how}"
