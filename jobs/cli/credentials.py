"""`facegan-job credentials`: what machines need to reach a bucket."""

from __future__ import annotations

from typing import Annotated

import typer

from facegan import layout
from facegan.accounts import open_account
from jobs import context as contexts
from jobs import credentials as handing
from jobs import runs, settings
from jobs.cli import options, output

app = typer.Typer(help="Make and end credentials that reach one run.", rich_markup_mode=None, no_args_is_help=True)


@app.command()
def policy(store: options.Store = None) -> int:
    """Print the rights that you take on the store, as its provider wants them."""
    output.as_json(open_account(settings.load({"store": store}).store).policy())
    return 0


@app.command()
def mint(
    run: options.Run,
    role: Annotated[str | None, typer.Option("--role", metavar="ARN", help="AWS: the role to take on for it.")] = None,
    store: options.Store = None,
) -> int:
    """Print what starts a session of the run on a machine without credentials. It is secret.

    It is a shell script: credentials for this run alone, and the command. They last longer than the session's
    budget, or as long as the provider lets them.
    """
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    made = handing.mint(context, ledger, role)
    output.data(handing.script(made, layout.run_url(context.store.url, ledger.run)))
    for warning in made.warnings:
        output.say(f"warning: {warning}")
    if made.until is not None:
        output.say(f"good for run {ledger.run} until {made.until:%Y-%m-%d %H:%M} UTC")
    elif made.files:
        output.say(f"good for run {ledger.run} until: facegan-job credentials revoke {ledger.run}")
    return 0


@app.command()
def revoke(run: Annotated[str, typer.Argument(help="Id of a run.", metavar="RUN")], store: options.Store = None) -> int:
    """End what was minted for a run; the run itself need not exist any more."""
    context = contexts.real(settings.load({"store": store}))
    found = handing.revoke(context, run)
    output.say(f"ended what was minted for run {run}" if found else f"nothing to end for run {run}")
    return 0
