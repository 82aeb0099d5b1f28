"""`facegan-job prune RUN`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from facegan.ledger import Ledger
from facegan.pruning import LEAST, Leftover, Policy, remove, sweep
from jobs import context as contexts
from jobs import runs, settings
from jobs.carrying.freezing import require_here
from jobs.cli import options, output


def prune(
    run: options.Run,
    keep: Annotated[
        int | None, typer.Option("--keep", min=LEAST, help="Keep the newest so many states (default: the run's own).")
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--every", min=1, metavar="STEPS", help="Keep the first state of every so many steps too."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and delete nothing.")] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Delete old states and what killed sessions left behind; never metrics, samples or the last two states."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    found = sweep(ledger, _policy(ledger, keep, every))
    if not dry_run:
        require_here(ledger.fold)
    gone = found if dry_run else list(remove(ledger, found))
    if json:
        output.as_json({"run": ledger.run, "dry_run": dry_run, "bytes": _bytes(gone), "gone": [*map(asdict, gone)]})
        return
    for left in gone:
        output.data(f"  {left.size / 1e6:10,.1f} MB  {left.key}  {left.why}")
    verb = "would go" if dry_run else "are gone"
    output.data(f"{ledger.run}: {len(gone):,} objects of {_bytes(gone) / 1e6:,.1f} MB {verb}")


def _policy(ledger: Ledger, keep: int | None, every: int | None) -> Policy:
    own = ledger.created().checkpoint
    return Policy(newest=own.keep if keep is None else keep, every=own.keep_every if every is None else every)


def _bytes(leftovers: Sequence[Leftover]) -> int:
    return sum(left.size for left in leftovers)
