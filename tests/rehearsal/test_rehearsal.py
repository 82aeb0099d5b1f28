"""A rehearsal is the same for the same seed, and it sees what breaks."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from facegan.process import Life
from facegan.storage.memory import MemoryStore
from jobs import orders, rates, recipe
from jobs.backends import waiting
from jobs.backends.base import Fate
from jobs.budget import Budget
from jobs.rehearsal import casting, place, world
from jobs.rehearsal.line import OrderedStore
from jobs.rehearsal.machine import BEAT_S, SlowToy
from jobs.rehearsal.place import Site, Spot
from jobs.rehearsal.script import FAIR, Script, Stay, Troubles, Visit
from jobs.rehearsal.terms import DAY_S, HOUR_S, TERMS, Quota, Terms
from jobs.rehearsal.timeline import to_json
from jobs.rehearsal.weeks import week
from jobs.rehearsal.world import Outcome, Play, Role, rehearse
from jobs.supervision import decision, watching
from jobs.supervision.actions import Wait
from jobs.supervision.past import Relay
from jobs.supervision.seen import Offer, Policy, Seen
from tests.waiting import until

CALM = Troubles(silences=0, outages=0)
HOME = Terms(speeds={"T4": 1.0}, wait_s=(60.0, 60.0, 60.0))
SHORT_LIVED = dataclasses.replace(HOME, life_s=2 * HOUR_S)
RATIONED = dataclasses.replace(
    HOME, cap_s=6 * HOUR_S, quota=Quota(of_s=3 * HOUR_S, first_s=DAY_S, period_s=DAY_S, told=True)
)


def played(
    *, steps: int = 40, troubles: Troubles = CALM, seed: int = 1, budget: Budget | None = None, **places: Terms
) -> Outcome:
    """A run of so many steps of ten minutes, over these places in their order."""
    there = places or {"ec2": HOME}
    return rehearse(
        Play(
            seed=seed,
            days=14.0,
            relay=Relay(backends=tuple(there), gpu="T4", budget=budget or Budget()),
            roles=[Role(run="run", steps=steps, step_s=600.0)],
            troubles=troubles,
            resumes=20,
            to_end=True,
            places=there,
        )
    )


def log(outcome: Outcome) -> str:
    return json.dumps(to_json(outcome), sort_keys=True)


def test_the_same_seed_is_the_same_week_to_the_byte() -> None:
    program = (
        "import json\nfrom jobs.rehearsal.weeks import week\nfrom jobs.rehearsal.world import rehearse\n"
        "from jobs.rehearsal.timeline import to_json\nprint(json.dumps(to_json(rehearse(week(5)))))"
    )

    def once(hashes: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout

    first = once("1")
    assert len(first) > 1000
    assert first == once("2")


def test_another_seed_is_another_week() -> None:
    weeks = {log(played(seed=seed, troubles=FAIR, ec2=SHORT_LIVED)) for seed in (1, 2, 3)}
    assert len(weeks) == 3


def test_all_is_well_in_one_session() -> None:
    outcome = played()
    assert not outcome.broken
    assert [(event.what, event.session) for event in outcome.events] == [("asked", 1), ("begins", 1), ("finished", 1)]
    assert outcome.used[0].hours == pytest.approx(40 * 600.0 / HOUR_S, abs=0.1)
    assert [step for _, _, step in outcome.progress][-1] == 40


def test_a_quota_is_waited_for_and_never_overdrawn() -> None:
    outcome = played(steps=36, kaggle=RATIONED)
    assert not outcome.broken
    (ending,) = outcome.endings
    assert ending.at is not None
    assert ending.at > DAY_S
    assert any("there is more" in event.why for event in outcome.events if event.what == "waits")


def test_a_budget_is_kept() -> None:
    outcome = played(steps=60, budget=Budget(hours=5.0))
    assert not outcome.broken
    assert outcome.endings[0].at is None
    assert outcome.used[0].hours <= 5.0
    assert "allowed" in outcome.events[-1].why or "budget" in outcome.events[-1].why


def test_a_healthy_session_whose_place_is_silent_for_an_hour_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "silences", lambda _script, _place: [(HOUR_S, 2 * HOUR_S)])
    outcome = played()
    assert not outcome.broken
    assert [event.what for event in outcome.events] == ["asked", "begins", "finished"]
    assert outcome.watches > 20


# What a rehearsal is for: each of these is a defect, and each has to be seen.


def liar(spot: Spot, ref: object) -> Fate:
    """A place that says of every session that it is gone."""
    del spot, ref
    return Fate(life=Life.GONE, why="it is gone")


def sluggish(_seen: Seen, now: float, _policy: Policy) -> Wait:
    """A watch that never comes to ask for a session."""
    return Wait(until=now + DAY_S, why="tomorrow")


def heedless(_seen: Seen, offer: Offer, now: float, _policy: Policy) -> decision._Standing:
    """A watch to which it is all the same what a place has said of its quota."""
    return decision._Standing(backend=offer.backend, until=now)


class Forgetful(SlowToy):
    """A trainer that takes up a checkpoint, and forgets a weight of it."""

    def restore(self, state: bytes) -> None:
        super().restore(state)
        self._weights[0] += 1


def twice(store: OrderedStore, key: str, data: bytes) -> bool:
    """A store without a condition: whoever comes last wins."""
    if key in store.objects:
        MemoryStore.put(store, key, data)
        store.witness("put", key, data)
        return True
    return PUT_NEW(store, key, data)


PUT_NEW = OrderedStore.put_new
CRUEL = dataclasses.replace(FAIR, cut=0.3, twin=1.0, until_s=2 * DAY_S)

DEFECTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str, dict[str, Terms], Troubles]] = {
    "a place lies that a session is gone": (
        lambda patch: patch.setattr(Spot, "fate", liar),
        "was declared lost",
        {"ec2": HOME},
        CALM,
    ),
    "a checkpoint is not taken up as it was": (
        lambda patch: patch.setattr("jobs.rehearsal.machine.SlowToy", Forgetful),
        "untouched",
        {"ec2": SHORT_LIVED},
        CALM,
    ),
    "a store keeps no condition": (
        lambda patch: patch.setattr(OrderedStore, "put_new", twice),
        "",
        {"ec2": SHORT_LIVED},
        CRUEL,
    ),
    "a quota is overdrawn": (
        lambda patch: patch.setattr(Site, "longest_s", lambda _site: float("inf")),
        "quota",
        {"kaggle": RATIONED},
        CALM,
    ),
    "a session is started beside one that lives": (
        lambda patch: patch.setattr(decision, "_beside", decision._next),
        "",
        {"ec2": HOME, "gce": HOME},
        CALM,
    ),
    "a run is forgotten": (
        lambda patch: patch.setattr(decision, "_next", sluggish),
        "it could have finished",
        {"ec2": SHORT_LIVED},
        CALM,
    ),
    "a place that has said that it has nothing is asked": (
        lambda patch: patch.setattr(decision, "_standing", heedless),
        "was asked of kaggle",
        {"kaggle": RATIONED},
        CALM,
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_seen(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, words, places, troubles = DEFECTS[defect]
    assert not played(troubles=troubles, **places).broken
    plant(monkeypatch)
    seeds = range(1, 2 if troubles is CALM else 40)  # it takes luck for two to write the same entry
    broken = next((found for seed in seeds if (found := played(seed=seed, troubles=troubles, **places).broken)), "")
    assert broken
    assert words in broken


def test_a_quota_that_is_known_to_be_used_up_is_not_asked_even_if_it_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without any refusal that says until when, it is what the place tells of itself that counts."""
    monkeypatch.setattr(decision, "_standing", heedless)
    monkeypatch.setattr(place, "_day", lambda _at: None)
    assert "whose quota was known to be used up" in played(kaggle=RATIONED).broken


def test_a_minute_too_many_of_sessions_that_report_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that cannot report are forgiven what nobody heard of them, and no others."""
    capped, right = dataclasses.replace(HOME, cap_s=2 * HOUR_S), orders._limit_s
    monkeypatch.setattr(orders, "_limit_s", lambda where, spent: (right(where, spent) or 0.0) + 1400.0)
    outcome = played(steps=60, budget=Budget(hours=5.0), ec2=capped)
    assert outcome.used[0].sessions == 3
    assert 5.0 < outcome.used[0].hours < 5.0 + BEAT_S / HOUR_S
    assert "5.0 h are allowed" in outcome.broken


def test_what_the_budget_pays_for_has_to_be_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(hours=20.0)
    assert played(ec2=SHORT_LIVED, budget=budget).endings[0].at is not None
    over = "its sessions took too many hours, and fewer are allowed"
    monkeypatch.setattr(Budget, "over", lambda _budget, spent: over if spent.hours > 1.0 else None)
    assert f"given up without ground: {over}" in played(ec2=SHORT_LIVED, budget=budget).broken


def test_a_watch_that_stays_and_goes_before_the_end_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Script, "staying", lambda _script: Visit())
    assert not played().broken
    monkeypatch.setattr(watching, "_is_over", lambda _rest: True)
    assert "a watch that stays has left it" in played().broken


def test_in_half_of_the_weeks_nobody_says_resume_and_nothing_fails_by_itself() -> None:
    mild = [play for play in map(week, range(40)) if play.resumes == 0]
    assert 10 < len(mild) < 30
    assert all(play.troubles.breaking == play.troubles.hanging == play.troubles.cut == 0.0 for play in mild)


def test_a_rehearsal_has_the_waits_and_losses_of_the_table_that_plans_are_made_from() -> None:
    for name, there in TERMS.items():
        table = waiting.of(name)
        assert there.wait_s == (table.low, table.likely, table.high)
        assert (there.life_s is None) == (table.taken_per_h + table.fails_per_h == 0.0)
        if there.life_s is not None:
            assert HOUR_S / there.life_s == pytest.approx(table.taken_per_h + table.fails_per_h)


@pytest.mark.parametrize("gpu", ["T4", "L4", "A10G"])
def test_a_faster_gpu_is_counted_once(gpu: str) -> None:
    """As long as the table says for a T4, and so much less as the place says of its GPU."""
    chosen = recipe.load("dcgan-celeba")
    rated = rates.rate(chosen, "T4")
    assert rated is not None
    cast, _ = casting.role(chosen, seed=1)
    assert cast.steps * cast.step_s == pytest.approx(chosen.training.steps / rated[0].likely)
    relay = Relay(backends=("ec2",), gpu=gpu)
    at = {"ec2": dataclasses.replace(HOME, speeds=TERMS["ec2"].speeds)}
    outcome = rehearse(Play(seed=1, days=9.0, relay=relay, roles=[cast], troubles=CALM, places=at))
    took_h = outcome.used[0].hours
    assert took_h == pytest.approx(cast.steps * cast.step_s / HOUR_S / TERMS["ec2"].speeds[gpu], rel=0.1)


def test_nothing_is_left_behind_where_it_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spot, "fate", liar)
    before = threading.active_count()
    assert played().broken
    until(lambda: threading.active_count() <= before)  # who has ended may be on its last line


def test_a_stay_is_drawn_from_the_seed_alone() -> None:
    script = Script(seed=3, troubles=FAIR, days=7.0)
    stays = [script.stay("run", 4, "ec2", 0.0, SHORT_LIVED) for _ in range(2)]
    assert stays[0] == stays[1]
    assert isinstance(stays[0], Stay)
    assert place.LEAST_S > 0.0
    assert world.BEAT_S < world.SILENT_S
