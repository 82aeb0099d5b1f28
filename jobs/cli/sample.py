"""`facegan-job sample RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegan import layout
from jobs import context as contexts
from jobs import heavy, runs, settings
from jobs.cli import options
from jobs.errors import JobError


def sample(
    run: options.Run,
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Into this folder (default: here).")] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=4096, help="So many pictures, in one grid.")] = 64,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Other latents for another seed.")] = 0,
    store: options.Store = None,
) -> int:
    """Have a run's newest generator make new pictures."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    if not ledger.fold.good:
        raise JobError(f'run "{ledger.run}" has committed no checkpoint yet', hint=f"facegan-job status {ledger.run}")
    url = layout.run_url(context.store.url, ledger.run)
    into = str((folder or Path.cwd()).absolute())
    return heavy.run(context, "sample", url, into, "--count", str(count), "--seed", str(seed))
