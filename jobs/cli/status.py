"""`facegan-job status RUN`."""

from __future__ import annotations

from typing import Annotated

import typer

from facegan.hours import hours
from facegan.ledger import Ledger
from facegan.spending import spending
from jobs import context as contexts
from jobs import runs, settings
from jobs.cli import options, output
from jobs.receipt import sheet
from jobs.run import shown, view
from jobs.spending import spent

MUCH_UNFIT = 0.05  # of the whole


def status(
    run: options.Run,
    receipt: Annotated[bool, typer.Option("--receipt", help="Where every hour of it went.")] = False,
    store: options.Store = None,
    json: options.Json = False,
) -> None:
    """Say how a run is, and why."""
    context = contexts.real(settings.load({"store": store}))
    ledger = runs.find(context, run)
    if receipt:
        _receipt(ledger, json=json)
        return
    now = view(ledger, context.writer.wall_s())
    images = shown(ledger, now)
    cost = spent(ledger, now.sessions)
    if json:
        output.as_json({**now.to_json(), "shown": images.to_json(), "spent": cost.to_json() if cost else None})
        return
    said = {
        "run": now.run,
        "experiment": now.experiment,
        "state": " ".join([now.state, *now.flags]),
        "step": f"{now.step:,} of {now.steps:,}",
        "shown": str(images),
        "checkpoint": f"{now.checkpoint:,}" if now.checkpoint else "none",
        "sessions": str(now.sessions),
        "backend": " ".join(part for part in (now.backend, now.host) if part),
        "image": now.bundle,
        "device": now.device,
        "rate": f"{now.rate:.1f} steps/s" if now.rate else "",
        "losses": "  ".join(f"{name} {value:.3f}" for name, value in now.losses.items()),
        "spent": str(cost) if cost else f"facegan-job status {now.run} --receipt adds it up",
        "why": now.why,
    }
    for name, value in said.items():
        if value:
            output.data(f"{name:<11} {value}")


def _receipt(ledger: Ledger, *, json: bool) -> None:
    found = hours(ledger)
    cost = spending((each.stay for each in found.sessions), now_s=ledger.writer.wall_s())
    if json:
        places = [each.to_json() for each in sheet.places(found)]
        output.as_json({"run": ledger.run, **found.to_json(), "places": places, "spent": cost.to_json()})
        return
    output.table(sheet.HEADER, sheet.table(found, cost))
    output.data("")
    output.table(sheet.PLACES, sheet.table_of_places(found))
    output.data("")
    output.data(f"spent       {cost}")
    if found.unfit > MUCH_UNFIT * found.whole:
        output.say(
            f"{sheet.clock(found.unfit)} of what sessions say of themselves does not fit between the store's times: "
            "is it a copy of a store, made without the times of its objects?"
        )
