"""`facegan-job plan EXPERIMENT|RUN`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from facegan.catalog import CATALOG
from facegan.errors import BadInputError
from facegan.ledger import NoRunError
from facegan.length import duration
from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.context import Context
from jobs.planning.moments import parse as moment
from jobs.planning.plan import Leg, Plan
from jobs.planning.prospects import Prospect, Terms
from jobs.run import day
from jobs.supervision import foresight
from jobs.supervision.foresight import Asked, Planned
from jobs.supervision.policy import parse

HEADER = ("LEG", "BACKEND", "GPU", "CAP", "LEFT", "BEGINS", "ENDS", "STEPS", "WAIT", "COST", "WHY")
NONE = "-"
HOUR_S = 3600.0
MOST = 12  # legs that are shown


def plan(  # noqa: PLR0913, PLR0917 - one parameter an option
    what: Annotated[
        str, typer.Argument(help="An experiment, a TOML file of your own, or a run.", metavar="EXPERIMENT|RUN")
    ],
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", metavar="NAME[,NAME…]|auto", help="Over which backends; auto: all that are set up here."
        ),
    ] = None,
    gpu: options.Gpu = None,
    deadline: Annotated[
        str | None,
        typer.Option(
            "--deadline", metavar="TIME", help='The cheapest plan that ends by then: 48h, "2026-12-01 18:00" (UTC).'
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", min=0.0, metavar="USD", help="The fastest plan that costs no more than that."),
    ] = None,
    max_hours: options.MaxHours = None,
    price: options.Price = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the experiment; repeatable."),
    ] = None,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Say when a run will be done, where, in how many sessions, and at what price. Starts nothing."""
    context = contexts.real(settings.load({"store": store}))
    runs.make_home(context)
    until = None if deadline is None else moment(deadline, context.writer.wall_s())
    names = None if backend is None else parse(backend)
    asked = Asked(backends=names, gpu=gpu, usd_h=price, terms=Terms(budget=budget, deadline=until, hours=max_hours))
    found = _made(context, what, overrides or (), asked)
    if json:
        output.as_json(_to_json(found))
        return
    _show(found)


def _made(context: Context, what: str, overrides: Sequence[str], asked: Asked) -> Planned:
    if what.endswith(".toml") or (what in CATALOG and what not in runs.names(context)):
        return foresight.of_experiment(context, what, overrides, asked)
    try:
        ledger = runs.find(context, what)
    except NoRunError:
        raise BadInputError(
            f'there is neither an experiment nor a run "{what}"',
            hint="facegan-job experiments and facegan-job ps list them",
        ) from None
    if overrides:
        raise BadInputError(f'run "{ledger.run}" is begun, and --set changes experiments', hint="leave --set out")
    return foresight.of_run(context, ledger, asked)


def _show(found: Planned) -> None:
    made = found.plan
    rows = [*_legs(made), *_unfit(made)]
    if rows:
        output.table(HEADER, rows)
    for line in _verdict(found):
        output.data(line)
    for each in found.prospects:
        output.say(f"{each.backend}: {'; '.join(each.rests_on)}")
    for unfit in made.unfit:
        if unfit.hint:
            output.say(f"hint: {unfit.backend}: {unfit.hint}")


def _legs(made: Plan) -> Iterator[Sequence[str]]:
    for number, leg in enumerate(made.legs[:MOST], 1):
        yield (
            str(number),
            leg.backend,
            leg.gpu or NONE,
            NONE if leg.cap_s is None else f"{leg.cap_s / HOUR_S:.3g}h",
            _left(leg),
            _short(leg.begins),
            _short(leg.ends),
            f"{leg.first:,}-{leg.last:,}",
            duration(leg.begins - leg.asked),
            _cost(leg.usd),
            leg.why,
        )
    if len(made.legs) > MOST:
        yield (f"+{len(made.legs) - MOST}", *[NONE] * (len(HEADER) - 2), "as these")


def _unfit(made: Plan) -> Iterator[Sequence[str]]:
    for each in made.unfit:
        yield (NONE, each.backend, each.gpu or NONE, f"unfit: {each.why}")


def _left(leg: Leg) -> str:
    """What is left of the quota when the session begins."""
    if leg.quota_left_s is None:
        return NONE
    whole = f" of {leg.quota_of_s / HOUR_S:.0f}" if leg.quota_of_s else ""
    return f"{leg.quota_left_s / HOUR_S:.1f}{whole}h"


def _verdict(found: Planned) -> Iterator[str]:
    made, terms = found.plan, found.terms
    yield from found.notes
    if made.ends is None or made.spread is None:
        is_done = found.course.done >= found.course.steps
        yield f"it is done: {made.why}" if is_done else f"no end can be told: {made.why}"
        return
    count = len(made.legs)
    done = _finite(made.spread.middle)
    when = (
        "never done, one time in two" if done is None else f"done {day(done)}, in {duration(done - found.course.now)}"
    )
    sessions = f"{count} session{'s' if count > 1 else ''}, {_cost(made.usd)}"
    yield f"{when} ({_short(made.ends)} as planned): {sessions}"
    early, late = _finite(made.spread.early), _finite(made.spread.late)
    if early is not None:
        until = "never, one time in ten" if late is None else day(late)
        yield f"eight times in ten between {day(early)} and {until}"
    if terms.deadline is not None:
        met = "no plan ends by" if made.is_late else "the cheapest that ends by"
        share = "" if made.spread.in_time is None else f"; in time {100 * made.spread.in_time:.0f} times in 100"
        yield f"{met} {day(terms.deadline)}{share}"


def _to_json(found: Planned) -> dict[str, Any]:
    made = found.plan
    spread = None if made.spread is None else {name: _finite(value) for name, value in asdict(made.spread).items()}
    return {
        "what": found.what,
        "now": found.course.now,
        "done": found.course.done,
        "steps": found.course.steps,
        "deadline": found.terms.deadline,
        "budget_usd": found.terms.budget,
        "max_hours": found.terms.hours,
        "legs": [_leg_to_json(leg) for leg in made.legs],
        "unfit": [asdict(each) for each in made.unfit],
        "ends": made.ends,
        "spread": spread,
        "usd": made.usd,
        "is_late": made.is_late,
        "why": made.why,
        "notes": list(found.notes),
        "rests_on": {each.backend: list(each.rests_on) for each in found.prospects},
        "places": [_place_to_json(each) for each in found.prospects],
    }


def _place_to_json(place: Prospect) -> dict[str, Any]:
    meter = place.meter
    return {
        "backend": place.backend,
        "gpu": place.gpu,
        "cap_s": place.cap_s,
        "quota_left_s": None if meter is None else meter.left_s,
        "quota_resets_at": None if meter is None else meter.resets_at,
        "usd_per_h": place.usd_per_h,
    }


def _leg_to_json(leg: Leg) -> dict[str, Any]:
    return {**asdict(leg), "wait_s": leg.begins - leg.asked}


def _finite(value: float | None) -> float | None:
    return None if value is None or value == float("inf") else value


def _cost(usd: float) -> str:
    return f"{usd:.2f} USD" if usd > 0.0 else "free"


def _short(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%a %d %b %H:%M}"
