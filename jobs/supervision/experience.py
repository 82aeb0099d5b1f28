"""What the user's own sessions took, read from the ledgers of their newest runs: waits, start-ups, steps a second."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facegan import experiment
from facegan import hours as time_spent
from facegan.errors import FaceganError
from facegan.experiment import Experiment
from facegan.hours.dividing import QUEUE, USEFUL, SessionHours
from facegan.spent import SAVING, STARTING
from jobs import runs
from jobs.context import Context
from jobs.ended import EndedRuns
from jobs.planning import estimates
from jobs.planning.prospects import Estimate

MOST = 12  # runs that are looked at
LEAST_S = 2.0  # of training; what is shorter says nothing of a rate
IDLE = {"name", "seed", "samples", "evaluation", "checkpoint", "session"}
"""Of an experiment, what makes no step longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Had:
    """One session of earlier: how long it was waited for, how long it took to its first step, and its steps a second.

    `None` where it did not come to tell. `work` is the same for experiments whose steps are equally long.
    """

    run: str
    backend: str
    gpu: str | None
    work: str
    wait_s: float | None = None
    start_s: float | None = None
    rate: float | None = None


def work(chosen: Experiment) -> str:
    """The same text for experiments whose steps take equally long on one machine."""
    tree = {name: value for name, value in experiment.to_json(chosen).items() if name not in IDLE}
    training = {name: tree["training"][name] for name in ("batch_size", "schedule", "fresh_latents", "replicas")}
    data = {name: tree["data"][name] for name in ("size", "cut", "domains")}
    return json.dumps({"model": tree["model"], "training": training, "data": data}, sort_keys=True)


def read(context: Context) -> Sequence[Had]:
    """Every session of the user's newest runs. A run that cannot be read says nothing."""
    return [had for run in _newest(context) for had in _of(context, run)]


def waits(experience: Sequence[Had], backend: str, gpu: str | None) -> Estimate | None:
    """How long sessions on that GPU of a backend were waited for; `None` where there were none."""
    there = [had for had in experience if had.backend == backend and had.gpu == gpu]
    return estimates.of([had.wait_s for had in there if had.wait_s is not None])


def starts(experience: Sequence[Had], backend: str) -> Estimate | None:
    """How long a session of that backend took to its first step."""
    return estimates.of([had.start_s for had in experience if had.backend == backend and had.start_s is not None])


def rates(experience: Sequence[Had], wanted: str, backend: str, gpu: str | None) -> tuple[Estimate, str] | None:
    """Steps a second of such `work` on that GPU, and where they were made.

    On a GPU of the same name elsewhere it is nearly as fast; no CPU says anything of another place's.
    """
    alike = [had for had in experience if had.work == wanted and had.gpu == gpu and had.rate is not None]
    there = [had for had in alike if had.backend == backend]
    made = there or (alike if gpu is not None else [])
    found = estimates.of([had.rate for had in made if had.rate is not None])
    if found is None:
        return None
    names = " and ".join(sorted({had.backend for had in made}))
    return found, f"{len(made)} session{'s' if len(made) > 1 else ''} of yours on {names}"


def _newest(context: Context) -> list[str]:
    """The runs that go on, and those that ended last."""
    ended = [str(each["run"]) for each in EndedRuns(context.settings.home, context.store.url).newest(MOST)]
    try:
        there = set(runs.names(context))
    except FaceganError:
        return []
    known = EndedRuns(context.settings.home, context.store.url).names()
    going_on = sorted(there - known)[:MOST]
    return [*going_on, *(name for name in ended if name in there)][:MOST]


def _of(context: Context, run: str) -> Iterator[Had]:
    try:
        ledger = context.ledger(run)
        spent = time_spent.hours(ledger)
        wanted = work(ledger.created())
    except FaceganError:
        return
    for each in spent.sessions:
        yield had(run, wanted, each)


def had(run: str, wanted: str, session: SessionHours) -> Had:
    """What one session says. One on a copy of the run was away for longer than it was waited for."""
    stay, parts = session.stay, session.parts
    trained_s = (parts[USEFUL] + parts[SAVING]) / 1000.0
    steps = stay.last - stay.first
    has_begun = stay.leased is not None
    return Had(
        run=run,
        backend=stay.backend,
        gpu=stay.gpu,
        work=wanted,
        wait_s=parts[QUEUE] / 1000.0 if has_begun and not stay.carried else None,
        start_s=parts[STARTING] / 1000.0 if stay.restored is not None and steps > 0 else None,
        rate=steps / trained_s if steps > 0 and trained_s >= LEAST_S else None,
    )
