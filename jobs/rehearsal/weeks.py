"""Weeks of bad luck: what is rehearsed for a seed, to see whether anything can break."""

from __future__ import annotations

from dataclasses import replace

from jobs.budget import Budget
from jobs.rehearsal.script import HARSH, Script
from jobs.rehearsal.terms import DAY_S, HOUR_S
from jobs.rehearsal.world import Play, Role
from jobs.supervision.past import Relay

PLACES = ("local", "docker", "kaggle", "colab", "ec2", "gce")
STEP_S = 600.0
RESUMES = 60
MILD = 0.5
AUTO = 0.2


def week(seed: int) -> Play:
    """One or two runs of some hours each, over one to four places. After three days, luck is no more than fair.

    In half of them nothing fails by itself, and no user says `resume`: a run that is given up there is a defect.
    """
    luck = Script(seed=seed, troubles=HARSH, days=7.0).luck("week")
    backends = tuple(luck.sample(PLACES, luck.randint(1, 4)))
    roles = [
        Role(run=f"run-{number}", steps=round(luck.uniform(2, 16) * HOUR_S / STEP_S), step_s=STEP_S, seed=seed % 1000)
        for number in range(luck.choice((1, 1, 2)))
    ]
    usd = luck.choice((None, None, None, luck.uniform(1.0, 12.0)))
    hours = luck.choice((None, None, None, luck.uniform(4.0, 40.0)))
    is_mild = luck.random() < MILD
    is_auto = luck.random() < AUTO
    usd = luck.uniform(1.0, 12.0) if is_auto and usd is None else usd  # `auto` pays nothing without a budget
    troubles = replace(HARSH, until_s=3 * DAY_S)
    if is_mild:
        troubles = replace(troubles, breaking=0.0, hanging=0.0, cut=0.0, haste=1.0)
    return Play(
        seed=seed,
        days=21.0,
        relay=Relay(backends=backends, gpu="T4", budget=Budget(usd=usd, hours=hours), auto=is_auto),
        roles=roles,
        troubles=troubles,
        resumes=0 if is_mild else RESUMES,
        raises=0 if is_mild or len(roles) > 1 else luck.choice((0, 2)),
        to_end=True,
    )
