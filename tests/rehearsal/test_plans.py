"""How far plans are off: each made at the beginning of a rehearsal that then takes its course. The figures are printed.

A plan is told what a user could know: rates, caps, the quotas that are told, waits and how often machines are taken
back. It is not told what goes wrong, nor that places are crowded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from jobs import prices
from jobs.budget import Budget
from jobs.planning.plan import Course, Plan, order, plan
from jobs.planning.prospects import Estimate, Meter, Prospect
from jobs.planning.prospects import Terms as Wish
from jobs.rehearsal import terms
from jobs.rehearsal.script import FAIR, Script
from jobs.rehearsal.terms import Terms
from jobs.rehearsal.world import CHECKPOINT_S, Play, Role, rehearse
from jobs.supervision.past import Relay

SEEDS = int(os.environ.get("FACEGAN_TEST_PLANS", "6"))
STEP_S = 1200.0
GPU = "T4"
CHOICES = (("kaggle",), ("local", "kaggle"), ("docker", "ec2"), ("kaggle", "ec2"), ("local", "kaggle", "ec2"))
START_S = 60.0


def prospect(name: str, at: Terms) -> Prospect:
    quota = at.quota
    rate = at.speeds[GPU] / STEP_S
    low, high = at.wait_s
    return Prospect(
        backend=name,
        gpu=GPU,
        rate=Estimate.exactly(rate),
        wait_s=Estimate(likely=(low + high) / 2, low=low + (high - low) / 10, high=high - (high - low) / 10),
        start_s=START_S,
        cap_s=None if at.cap_s is None else at.cap_s - STEP_S,  # a session stops where no whole step fits in any more
        meter=None
        if quota is None
        else Meter(left_s=quota.of_s, resets_at=quota.first_s, of_s=quota.of_s, period_s=quota.period_s),
        usd_per_h=prices.price(name, GPU).usd_h or 0.0,
        taken_per_h=0.0 if at.life_s is None else 3600.0 / at.life_s,
        lost_s=(CHECKPOINT_S + STEP_S) / 2,
    )


def planned_and_played(seed: int, places: Mapping[str, Terms]) -> tuple[Plan, float]:
    """A plan of ten to sixty hours over some of the places, and when the run was done in the rehearsal."""
    luck = Script(seed=seed, troubles=FAIR, days=28.0).luck("plan")
    names = luck.choice(CHOICES)
    steps = luck.randint(30, 180)
    wish = Wish(budget=luck.uniform(2.0, 20.0) if "ec2" in names else None)
    prospects = [prospect(name, places[name]) for name in names]
    made = plan(prospects, (), Course(now=0.0, done=0, steps=steps), wish)
    asked = order(prospects, 0.0, steps, wish).backends
    backends = (*asked, *(name for name in names if name not in asked))
    play = Play(
        seed=seed,
        days=28.0,
        relay=Relay(backends=backends, gpu=GPU, budget=Budget(usd=wish.budget)),
        roles=[Role(run="run", steps=steps, step_s=STEP_S)],
        troubles=FAIR,
        to_end=True,
    )
    found = rehearse(play)
    assert not found.broken, found.broken
    (ending,) = found.endings
    assert ending.at is not None
    return made, ending.at


def test_how_far_plans_are_off() -> None:
    off, inside, lines = [], 0, []
    for seed in range(SEEDS):
        made, at = planned_and_played(seed, terms.TERMS)
        assert made.ends is not None
        assert made.spread is not None
        off.append((at - made.ends) / made.ends)
        inside += made.spread.early <= at <= made.spread.late
        backends = "+".join(dict.fromkeys(leg.backend for leg in made.legs))
        lines.append(f"  seed {seed}: {backends}, planned {made.ends / 3600:.1f} h, done after {at / 3600:.1f} h")
    far = sorted(abs(each) for each in off)
    print("\n" + "\n".join(lines))
    print(
        f"{SEEDS} plans: half at most {100 * far[len(far) // 2]:.1f} % off, the farthest {100 * far[-1]:.1f} %; "
        f"{inside} ended between the times that were said for eight in ten"
    )
    assert far[len(far) // 2] < 0.25


def test_auto_breaks_no_promise_and_comes_to_the_end() -> None:
    """Its order is made anew before each session, from what the sessions before it took."""
    for seed in range(2):
        play = Play(
            seed=seed,
            days=21.0,
            relay=Relay(backends=("docker", "kaggle", "colab"), gpu=GPU, auto=True),
            roles=[Role(run="run", steps=120, step_s=STEP_S)],
            troubles=FAIR,
            to_end=True,
        )
        found = rehearse(play)
        assert not found.broken, found.broken
        assert found.endings[0].at is not None
