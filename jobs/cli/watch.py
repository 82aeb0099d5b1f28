"""`facegan-job watch [RUN…]`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from facegan.errors import BadInputError, DamagedError, FaceganError
from facegan.experiment import Json
from facegan.ledger import Ledger, NoRunError
from jobs import context as contexts
from jobs import heavy, runs, settings
from jobs.budget import Budget
from jobs.cli import attach, options, output
from jobs.context import Context
from jobs.errors import Exit, exit_of
from jobs.heads import Heads
from jobs.refusals import Refusal
from jobs.run import damaged, exit_of_run, view
from jobs.supervision import resolving
from jobs.supervision.actions import GiveUp, Rest
from jobs.supervision.past import Relay
from jobs.supervision.policy import Allowed, parse
from jobs.supervision.watching import Watch

TELLING = "jobs.notices.telling"  # by its name: `submit` and `resume` seldom watch


def watch(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Annotated[
        list[str] | None, typer.Argument(help="Ids of runs; all that go on, if none.", metavar="[RUN…]")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Look at each run once and do what is to be done: for cron.")
    ] = False,
    backend: options.Backend = None,
    gpu: options.Gpu = None,
    budget: options.Budget = None,
    max_hours: options.MaxHours = None,
    price: options.Price = None,
    store: options.Store = None,
    json: options.Json = False,
) -> int:
    """Give interrupted runs their next session, wherever it may be, until they are done.

    It may be killed, run twice at once, or once a quarter of an hour: it remembers nothing.
    """
    context = contexts.real(settings.load({"store": store}))
    runs.make_home(context)
    names = [runs.find(context, name).run for name in run] if run else None
    backends = parse(backend) if backend is not None else None
    may_cost = Budget(usd=budget, hours=max_hours, usd_h=price)
    allowed = Allowed(settings=context.settings, backends=backends, gpu=gpu, budget=may_cost)
    return carry(context, resolving.allowed(context, allowed), names, once=once, json=json)


def carry(
    context: Context, allowed: Allowed, names: Sequence[str] | None, *, once: bool = False, json: bool = False
) -> int:
    """Watch the runs to their end, or once; what the command then ends with."""
    allowed.policy(None)  # what cannot be understood is said before anything is done
    voice = _Voice(context)
    teller = importlib.import_module(TELLING).Teller(context=context, allowed=allowed, complain=voice.complain)
    watching = Watch(context=context, allowed=allowed, voice=voice, names=names, heed=teller.heed)
    try:
        rests = watching.once() if once else watching.until_over()
    except KeyboardInterrupt:
        output.say("\nno longer watching; sessions go on, and none follows them\nhint: facegan-job watch")
        return Exit.DETACHED
    if json:
        output.as_json([_to_json(context, name, rest) for name, rest in rests.items()])
    if any(isinstance(rest, GiveUp) for rest in rests.values()):
        return Exit.RUN_FAILED
    if once:
        return next(map(exit_of, watching.troubles.values()), Exit.OK)  # what was not looked at may need something
    return _worst(context, rests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What a command does once a session is launched: carry the run on, leave it alone, or follow this session.

    `estimate` is what was foreseen of it, for a program that reads.
    """

    watch: bool
    detach: bool
    json: bool
    estimate: Json


def launched(context: Context, ledger: Ledger, launch: Callable[[], object], relay: Relay, manner: Manner) -> int:
    """Launch a session, where its place refuses another one of the relay's, and go on in this manner."""
    if manner.watch and manner.detach:
        raise BadInputError("--watch stays, and --detach leaves", hint="--detach now, and facegan-job watch from cron")
    allowed = Allowed(
        settings=context.settings, backends=relay.backends, gpu=relay.gpu, budget=relay.budget, auto=relay.auto
    )
    try:
        launch()
    except Refusal as error:
        if not manner.watch and len(relay.backends) == 1:
            raise
        output.error(error.message, error.hint)
        if not manner.watch:
            carry(context, allowed, [ledger.run], once=True)
    if manner.watch:
        return carry(context, allowed, [ledger.run], json=manner.json)
    return attach.attach(context, ledger, detach=manner.detach, json=manner.json, estimate=manner.estimate)


class _Voice:
    """Tells the user, on standard error, and MLflow."""

    def __init__(self, context: Context) -> None:
        self._context = context
        tracking = context.settings.tracking
        self._copies = bool(tracking) and heavy.has("mlflow")
        if tracking and not self._copies and not tracking.startswith("sqlite:"):
            output.error(
                "MLflow is not installed here, so nothing is copied to its server", "pip install 'facegan-job[track]'"
            )

    def say(self, run: str, text: str) -> None:
        output.say(f"{run}: {text}")

    def complain(self, run: str, error: FaceganError) -> None:
        output.error(f"{run}: {error.message}", error.hint)

    def give_up(self, run: str, why: str) -> None:
        output.error(f"{run} is given up: {why}", f"facegan-job logs {run}; then facegan-job resume {run} tries again")

    def sync(self, names: Sequence[str]) -> bool:
        if not self._copies:
            return True
        kept = Heads(self._context.settings.home, self._context.store.url)
        accepted = kept.accepted(names)
        if heavy.sync(self._context, names, accepted):
            return False
        kept.told(accepted)
        return True


def _to_json(context: Context, name: str, rest: Rest) -> dict[str, object]:
    at = context.writer.wall_s()
    try:
        now = view(context.ledger(name), at)
    except (DamagedError, NoRunError) as error:  # one that cannot be read hides no other
        now = damaged(name, error.message, at)
    return {**now.to_json(), "watch": type(rest).__name__.lower(), "because": rest.why}


def _worst(context: Context, rests: Mapping[str, Rest]) -> int:
    ends = (exit_of_run(runs.look(context, name).state) for name in rests)
    return next((code for code in ends if code), Exit.OK)
