"""`facegan-job rehearse [EXPERIMENT]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facegan.errors import BadInputError
from jobs import recipe
from jobs.budget import Budget
from jobs.cli import options, output
from jobs.rehearsal import picture, timeline
from jobs.rehearsal.casting import role
from jobs.rehearsal.promises import BrokenError
from jobs.rehearsal.script import FAIR
from jobs.rehearsal.terms import TERMS, of
from jobs.rehearsal.world import Play
from jobs.rehearsal.world import rehearse as play
from jobs.supervision.past import Relay
from jobs.supervision.policy import AUTO, parse

DEFAULT = "kaggle,colab,ec2"
RESUMES = 10


def rehearse(  # noqa: PLR0913, PLR0917 - each is an option
    experiment: Annotated[
        str | None, typer.Argument(help="Name or TOML file of an experiment; a made-up one, if none.")
    ] = None,
    backend: Annotated[
        str,
        typer.Option("--backend", metavar="NAME[,NAME…]|auto", help="Where sessions may run; the first that can does."),
    ] = DEFAULT,
    gpu: Annotated[str, typer.Option("--gpu", help="Name of a GPU of the backends.")] = "T4",
    days: Annotated[float, typer.Option("--days", min=0.1, max=60.0, help="How long the rehearsal goes on.")] = 7.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed is another week; the same is the same.")] = 0,
    budget: options.Budget = None,
    max_hours: options.MaxHours = None,
    picture_at: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Draw it, too: an SVG file.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Play days of a carried run in seconds: the real supervisor and sessions at made-up places, with bad luck.

    Nothing is asked of any account, and nothing is left behind.
    """
    names = parse(backend)
    is_auto = names == (AUTO,)
    names = tuple(TERMS) if is_auto else names
    fitting = [name for name in names if gpu.lower() in map(str.lower, of(name).speeds)]
    if not fitting:
        known = sorted({each for name in names for each in of(name).speeds})
        raise BadInputError(
            f'none of these backends has a GPU "{gpu}" in a rehearsal', hint=f"they have {', '.join(known)}"
        )
    cast, known_by = role(None if experiment is None else recipe.load(experiment), seed)
    allowed = Budget(usd=budget, hours=max_hours)
    relay = Relay(backends=names, gpu=gpu, budget=allowed, auto=is_auto)
    outcome = play(Play(seed=seed, days=days, relay=relay, roles=[cast], troubles=FAIR, resumes=RESUMES))
    if picture_at is not None:
        _write(picture_at, picture.draw(outcome))
    if json:
        output.as_json(timeline.to_json(outcome))
    else:
        output.table(timeline.HEADER, timeline.rows(outcome))
        output.data("")
        output.table(timeline.USED, timeline.used(outcome))
        output.data("")
    if outcome.broken:
        raise BrokenError(
            f"a promise was broken: {outcome.broken}",
            hint=f"facegan-job rehearse --seed {seed} shows it again: please report it with this line",
        )
    if not json:
        for line in timeline.finish(outcome):
            output.data(line)
        output.say(f"{known_by}; what places allow and how often they fail is assumed, too")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(f'the picture cannot be written to "{path}": {error.strerror}') from error
