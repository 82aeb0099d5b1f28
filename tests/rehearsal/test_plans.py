"""How far plans are off: each made at the beginning of a rehearsal that then takes its course. The figures are printed.

A plan is made as `facegan-job plan` makes it, of what a user could know: the rate, how long a session takes to begin,
caps, the quotas that are told, and the table of waits, losses and refusals. It is not told what goes wrong when.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from jobs import prices
from jobs.budget import Budget
from jobs.orders import Place
from jobs.planning import play as playing
from jobs.planning.plan import Course, Plan, order, plan
from jobs.planning.prospects import Estimate, Prospect
from jobs.planning.prospects import Terms as Wish
from jobs.rehearsal import supervisor, terms
from jobs.rehearsal.machine import BEGAN, UPLOAD_S
from jobs.rehearsal.script import FAIR, Script
from jobs.rehearsal.terms import HOUR_S, Terms
from jobs.rehearsal.world import Play, Role, experiment, rehearse
from jobs.supervision import outlook
from jobs.supervision.outlook import Known, Ready
from jobs.supervision.past import Relay
from tests.planning.backends import Place as There
from tests.planning.backends import Says

FIRST = int(os.environ.get("FACEGAN_TEST_PLANS_FROM", "0"))
SEEDS = int(os.environ.get("FACEGAN_TEST_PLANS", "6"))
STEP_S = 60.0
GPU = "T4"
CHOICES = (("kaggle",), ("local", "kaggle"), ("docker", "ec2"), ("kaggle", "ec2"), ("local", "kaggle", "ec2"))


def prospect(name: str, at: Terms, role: Role) -> Prospect:
    quota = at.quota
    says = Says(
        gpus=tuple(at.speeds),
        cap_h=None if at.cap_s is None else at.cap_s / HOUR_S,
        left_h=None if quota is None or not quota.told else quota.of_s / HOUR_S,
        of_h=0.0 if quota is None else quota.of_s / HOUR_S,
        resets_at=None if quota is None else BEGAN + quota.first_s,
    )
    there = Place(backend=There(name, says), gpu=GPU, price=prices.price(name, GPU))
    ready = Ready(where=there, chosen=experiment(role), left=there.backend.quota())
    rated = Estimate.exactly(at.speeds[GPU] / STEP_S), "as it is played"
    found = outlook.prospect(ready, Known(own=(), rate=lambda _chosen, _gpu: rated), BEGAN)
    assert isinstance(found, Prospect)
    return replace(found, start_s=UPLOAD_S)  # as it is played: a toy only fetches its state


def planned_and_played(seed: int, places: Mapping[str, Terms]) -> tuple[Plan, float]:
    """A plan of ten to sixty hours over some of the places, and when the run was done in the rehearsal."""
    luck = Script(seed=seed, troubles=FAIR, days=28.0).luck("plan")
    names = luck.choice(CHOICES)
    steps = luck.randint(10, 60) * round(HOUR_S / STEP_S)
    wish = Wish(budget=luck.uniform(2.0, 20.0) if "ec2" in names else None)
    role = Role(run="run", steps=steps, step_s=STEP_S)
    prospects = [prospect(name, places[name], role) for name in names]
    made = plan(prospects, (), Course(now=BEGAN, done=0, steps=steps), wish)
    asked = order(prospects, BEGAN, steps, wish).backends
    backends = (*asked, *(name for name in names if name not in asked))
    play = Play(
        seed=seed,
        days=28.0,
        relay=Relay(backends=backends, gpu=GPU, budget=Budget(usd=wish.budget)),
        roles=[role],
        troubles=FAIR,
        to_end=True,
    )
    found = rehearse(play)
    assert not found.broken, found.broken
    (ending,) = found.endings
    assert ending.at is not None
    return made, BEGAN + ending.at


def test_how_far_plans_are_off(record_property: Callable[[str, object], None]) -> None:
    off, inside, lines = [], 0, []
    for seed in range(FIRST, FIRST + SEEDS):
        made, at = planned_and_played(seed, terms.TERMS)
        said = made.spread
        assert said is not None
        off.append((at - said.middle) / (said.middle - BEGAN))
        inside += said.early <= at <= said.late
        backends = "+".join(dict.fromkeys(leg.backend for leg in made.legs))
        early, middle, late, took = ((each - BEGAN) / HOUR_S for each in (said.early, said.middle, said.late, at))
        lines.append(
            f"  seed {seed}: {backends}, {middle:.1f} h, between {early:.1f} and {late:.1f} h, took {took:.1f} h"
        )
    far = sorted(abs(each) for each in off)
    print("\n" + "\n".join(lines))
    said_of_all = (
        f"{SEEDS} plans of rehearsed weeks: half at most {100 * far[len(far) // 2]:.1f} % off, the farthest "
        f"{100 * far[-1]:.1f} %, the middle one {100 * statistics.median(off):+.2f} %; {inside} ended between the "
        f"times that were said for eight in ten"
    )
    record_property("counted", said_of_all)
    print(said_of_all)
    assert far[len(far) // 2] < 0.05
    assert abs(statistics.median(off)) < 0.03
    assert inside >= SEEDS / 2


def test_plays_are_of_the_troubles_that_are_rehearsed() -> None:
    assert pytest.approx(FAIR.unborn + FAIR.vanished) == playing.STILLBORN
    assert (FAIR.hanging, supervisor.EVERY_S) == (playing.HANGING, playing.LOOK_EVERY_S)


def test_auto_breaks_no_promise_and_comes_to_the_end() -> None:
    """Its order is made anew before each session, from what the sessions before it took."""
    for seed in range(2):
        play = Play(
            seed=seed,
            days=21.0,
            relay=Relay(backends=("docker", "kaggle", "colab"), gpu=GPU, auto=True),
            roles=[Role(run="run", steps=2400, step_s=STEP_S)],
            troubles=FAIR,
            to_end=True,
        )
        found = rehearse(play)
        assert not found.broken, found.broken
        assert found.endings[0].at is not None
