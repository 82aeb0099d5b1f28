"""What each place would do for a run, put together from what it says, the user's own sessions and the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from facegan.experiment import Experiment
from jobs.backends import waiting
from jobs.backends.base import Allowance
from jobs.backends.vm import SPOT
from jobs.orders import Place
from jobs.planning.prospects import Estimate, Meter, Prospect, Terms, Unfit
from jobs.prices import Price
from jobs.supervision import experience
from jobs.supervision.experience import Had

WEEK_S = 7 * 24 * 3600.0
HOUR_S = 3600.0
SATURDAY = 5
COSTS = "it costs"

Rated = tuple[Estimate, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What plans are made from beside the places: the user's own sessions, and the project's tables.

    `rate` is steps a second of an experiment on a GPU and where that is from, `None` where nobody has measured it.
    """

    own: Sequence[Had]
    rate: Callable[[Experiment, str | None], Rated | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A place that could run a session of this experiment. `left` is what it says of its quota.

    One that `is_silent` has a quota, and did not say what is left of it.
    """

    where: Place
    chosen: Experiment
    left: Allowance | None = None
    is_silent: bool = False


def prospect(ready: Ready, known: Known, now: float) -> Prospect | Unfit:
    """What a session would be like there, or why that cannot be told."""
    name, gpu = ready.where.backend.name, ready.where.gpu
    rated = experience.rates(known.own, experience.work(ready.chosen), name, gpu) or known.rate(ready.chosen, gpu)
    if rated is None:
        hint = _measure(ready.chosen.name, name, gpu)
        return Unfit(backend=name, gpu=gpu, why=f"how fast it is {_on(gpu)} is not known", hint=hint)
    price = ready.where.price or Price(usd_h=None, market="")
    if price.usd_h is None:
        return Unfit(backend=name, gpu=gpu, why=f"what an hour {_on(gpu)} costs is not known")
    table, cap_s = waiting.of(name), ready.where.backend.capabilities().session_s
    wait_s, waited = experience.waits(known.own, name, gpu), "waited for as your own sessions there were"
    if wait_s is None:
        wait_s = Estimate(likely=table.likely, low=table.low, high=table.high)
        waited = f"waited for {table.likely:.0f} s, {table.sure.value} ({table.seen})"
    start = experience.starts(known.own, name)
    meter, rationed = _meter(ready, table, now)
    return Prospect(
        backend=name,
        gpu=gpu,
        rate=rated[0],
        wait_s=wait_s,
        start_s=table.start_s if start is None else start.likely,
        cap_s=cap_s,
        meter=meter,
        usd_per_h=price.usd_h,
        taken_per_h=table.taken_per_h if price.market == SPOT else 0.0,
        fails_per_h=table.fails_per_h,
        crowded=table.crowded,
        lost_s=_lost_s(ready.chosen, rated[0]),
        stall_s=ready.chosen.session.stall_s,
        rests_on=(f"{rated[0].likely:.3g} steps a second, {rated[1]}", *_capped(cap_s), *rationed, waited, str(price)),
    )


def affordable(found: Sequence[Prospect], terms: Terms, *, is_auto: bool) -> tuple[list[Prospect], list[Unfit]]:
    """Without what costs money that nobody offered: a backend that was not named is paid from a budget alone."""
    is_offered = not is_auto or terms.budget is not None or terms.deadline is not None
    kept = [each for each in found if each.usd_per_h <= 0.0 or is_offered]
    dear = [
        Unfit(
            backend=each.backend,
            gpu=each.gpu,
            why=f"{COSTS} {each.usd_per_h:.2f} USD an hour, and no budget is set",
            hint="--budget USD, or name it in --backend",
        )
        for each in found
        if each not in kept
    ]
    return kept, dear


def _capped(cap_s: float | None) -> Sequence[str]:
    return () if cap_s is None else (f"sessions of {cap_s / HOUR_S:.3g} h at most",)


def _meter(ready: Ready, table: waiting.Waiting, now: float) -> tuple[Meter | None, Sequence[str]]:
    """A quota as a plan counts it, and how it is known. All that are known begin anew every week."""
    left = ready.left
    if left is not None:
        resets_at = left.resets_at.timestamp() if left.resets_at else None
        told = f"{left.left_s / HOUR_S:.1f} of {left.of_s / HOUR_S:.0f} h left, as it says now"
        return Meter(left_s=left.left_s, resets_at=resets_at, of_s=left.of_s, period_s=WEEK_S), (told,)
    if ready.is_silent and table.week_s is not None:
        assumed = f"it does not say what is left of its quota: all of {table.week_s / HOUR_S:.0f} h is assumed"
        return Meter(left_s=table.week_s, resets_at=saturday(now), of_s=table.week_s, period_s=WEEK_S), (assumed,)
    return None, ()


def saturday(now: float) -> float:
    """The next one, at 00:00 UTC."""
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=(SATURDAY - day.weekday() - 1) % 7 + 1)).timestamp()


def _lost_s(chosen: Experiment, rate: Estimate) -> float:
    """Half of what is trained between two checkpoints."""
    cadence = chosen.checkpoint
    return 0.5 * (cadence.every_s if cadence.every_steps is None else cadence.every_steps / rate.likely)


def _on(gpu: str | None) -> str:
    return "without a GPU" if gpu is None else f"on a {gpu}"


def _measure(named: str, backend: str, gpu: str | None) -> str:
    asked = "" if gpu is None else f" --gpu {gpu}"
    return f"facegan-job submit {named} --backend {backend}{asked} measures it in some minutes; then plan again"
