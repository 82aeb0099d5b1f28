"""`facegan-job chaos RUN`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Annotated

import typer

from facegan.errors import BadInputError
from facegan.ledger import Ledger
from facegan.verify import verify
from jobs import chaos as killing
from jobs import context as contexts
from jobs import orders, runs, settings
from jobs.chaos import OURS, Kill, Tormentor
from jobs.cli import options, output
from jobs.context import Context
from jobs.ended import EndedRuns
from jobs.errors import Exit
from jobs.orders import Place
from jobs.supervision.past import Past
from jobs.supervision.policy import parse


def chaos(
    run: options.Run,
    kills: Annotated[int, typer.Option("--kills", min=0, max=1000, help="How many sessions are killed.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Draws when: the same seed, the same moments.")] = 0,
    against: Annotated[
        str | None, typer.Option("--against", metavar="RUN", help="A finished run like it, which nobody touched.")
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Kill a run's sessions on this machine at random moments, go on with it to its end, and prove that it is whole."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    twin = None if against is None else _twin(context, ledger, against)
    where = _where(context, ledger)
    EndedRuns(context.settings.home, context.store.url).forget(ledger.run)
    done = Tormentor(context=context, ledger=ledger, where=where, say=output.say).torment(kills, seed)
    wrong = [f"{found.object} {found.how}" for found in verify(ledger).wrong]
    unlike = [] if twin is None else [*killing.differences(ledger, twin)]
    if json:
        named = {"run": ledger.run, "seed": seed, "kills": [asdict(kill) for kill in done]}
        output.as_json({**named, "whole": not wrong, "wrong": wrong, "against": against, "differences": unlike})
    else:
        for line in _lines(ledger, done, wrong, twin, unlike):
            output.data(line)
    return Exit.INTEGRITY if wrong or unlike else Exit.OK


def _twin(context: Context, ledger: Ledger, against: str) -> Ledger:
    twin = runs.find(context, against)
    if not twin.fold.finished:
        raise BadInputError(
            f'run "{twin.run}" is not finished, and nothing can be compared with it', hint="wait for it"
        )
    if twin.created() != ledger.created():
        raise BadInputError(f'run "{twin.run}" is of another experiment', hint="submit one with the same settings")
    return twin


def _where(context: Context, ledger: Ledger) -> Place:
    """Where its sessions go on: where the last one was, else where the settings say."""
    fold, relay = ledger.fold, Past(ledger).relay()
    killing.require_ours(fold)
    last = fold.open[-1] if fold.open else fold.end
    name = last.backend if last else parse(context.settings.backend)[0]
    if name not in OURS:
        raise BadInputError(
            f'the last session was on "{name}", and only sessions on {" or ".join(OURS)} are killed',
            hint=f"facegan-job submit {fold.experiment} --backend local, and chaos on that",
        )
    where = orders.place(context, name, relay.gpu if relay else None, last.host if last else None)
    return where if relay is None else replace(where, relay=relay.to_json())


def _lines(ledger: Ledger, done: list[Kill], wrong: list[str], twin: Ledger | None, unlike: list[str]) -> Iterator[str]:
    fold = ledger.fold
    yield f"{ledger.run}: killed {len(done)} of its {fold.newest} sessions; step {fold.reached:,} of {fold.steps:,}"
    for kill in done:
        when = f"{kill.after_s:.1f} s after it was {kill.moment}"
        yield f"  killed  session {kill.session}, {when}, at step {kill.step:,}"
    yield from (f"  wrong   {found}" for found in wrong)
    if not wrong:
        yield "  whole   every entry, object and step was read again: nothing is lost, changed or counted twice"
    yield from (f"  unlike  {found}" for found in unlike)
    if twin is not None and not unlike:
        yield f"  equal   weights, metrics of every step and pictures are those of {twin.run}, which nobody touched"
