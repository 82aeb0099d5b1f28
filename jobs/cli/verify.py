"""`facegan-job verify RUN`."""

from __future__ import annotations

from dataclasses import asdict

from facegan.verify import verify as read_and_judge
from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.errors import Exit


def verify(run: options.Run, store: options.Store = None, json: options.Json = False) -> int:
    """Read a whole run again, and prove that nothing of it is lost, changed or counted twice."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run, checked=False)
    verdict = read_and_judge(ledger)
    if json:
        output.as_json({"run": ledger.run, "whole": not verdict.wrong, **asdict(verdict)})
    else:
        output.data(
            f"{ledger.run}: {verdict.entries:,} entries chained, {verdict.objects:,} objects of "
            f"{verdict.size / 1e6:,.1f} MB read, metrics of {verdict.steps:,} steps, each once"
            if not verdict.wrong
            else f"{ledger.run}: {len(verdict.wrong)} things are wrong"
        )
        for found in verdict.known:
            output.data(f"  known  {found.object} {found.how}; found by a session, its steps were trained again")
        for found in verdict.wrong:
            output.data(f"  wrong  {found.object} {found.how}")
    return Exit.INTEGRITY if verdict.wrong else Exit.OK
