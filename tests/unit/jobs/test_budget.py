"""Budgets: what is left never lets the sum exceed what is allowed, whatever happened before."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan.spending import HOUR_MS, Cost, Spending
from jobs.backends.base import Order
from jobs.backends.batch import request as of_batch
from jobs.backends.ec2 import script as of_ec2
from jobs.backends.gce import script as of_gce
from jobs.backends.gradient import request as of_gradient
from jobs.backends.vm import BOOT_S, Life
from jobs.budget import FREE_LEAST_S, LEAST_S, Budget, from_json
from jobs.supervision.actions import Ask, GiveUp
from jobs.supervision.decision import decide
from jobs.supervision.seen import Offer, Policy, Seen
from tests.unit.jobs.test_decide import NAMES, NOW, RUN, ended, pasts

CLOSE = 1e-6  # dollars, and hours
amounts = st.floats(0.0, 50.0)
usd_hs = st.sampled_from([0.0, 0.05, 0.25, 0.752, 3.673])
budgets = st.builds(Budget, usd=st.none() | amounts, hours=st.none() | amounts, usd_h=st.none() | usd_hs)
costs = st.builds(Cost, number=st.integers(1, 99), ms=st.integers(0, 20 * HOUR_MS), usd_h=st.none() | usd_hs)
spendings = st.lists(costs, max_size=6).map(lambda all_: Spending(costs=tuple(all_)))


def spent(hours: float, usd_h: float | None = 1.0) -> Spending:
    return Spending(costs=(Cost(number=1, ms=round(hours * HOUR_MS), usd_h=usd_h),))


@given(spendings)
def test_the_sum_is_that_of_its_parts(found: Spending) -> None:
    known = [each for each in found.costs if each.usd_h is not None]
    assert found.usd == pytest.approx(sum(each.ms / HOUR_MS * (each.usd_h or 0.0) for each in known))
    assert found.hours == pytest.approx(sum(each.ms for each in found.costs) / HOUR_MS)
    assert found.unknown_hours == pytest.approx(found.hours - sum(each.ms for each in known) / HOUR_MS)
    assert (found.usd_at_least(None) is None) == (found.unknown_hours > 0.0)


@given(budgets, spendings, st.none() | usd_hs)
def test_a_session_that_uses_all_it_is_given_spends_no_more_than_is_allowed(
    budget: Budget, before: Spending, usd_h: float | None
) -> None:
    if budget.is_open or budget.refuses(before, usd_h) is not None:
        return
    left_s = budget.left_s(before, usd_h)
    if left_s is None:
        assert budget.hours is None
        assert usd_h == 0.0, "what is paid for is limited"
        return
    assert left_s >= (LEAST_S if usd_h is None or usd_h > 0.0 else FREE_LEAST_S)
    if budget.hours is not None:
        assert before.hours + left_s / 3600 <= budget.hours + CLOSE
    if budget.usd is not None:
        assert usd_h is not None
        cost = before.usd_at_least(budget.usd_h)
        assert cost is not None
        assert cost + left_s / 3600 * usd_h <= budget.usd + CLOSE


@given(budgets, spendings, usd_hs, costs)
def test_who_has_spent_more_has_less_left(budget: Budget, before: Spending, usd_h: float, more: Cost) -> None:
    after = dataclasses.replace(before, costs=(*before.costs, more))
    one, other = budget.left_s(before, usd_h), budget.left_s(after, usd_h)
    if one is None:
        assert other is None or other == 0.0
    else:
        assert other is not None
        assert other <= one + CLOSE


@given(budgets, spendings, usd_hs, amounts)
def test_a_larger_budget_leaves_no_less(budget: Budget, before: Spending, usd_h: float, more: float) -> None:
    if budget.usd is None:
        return
    one, other = (each.left_s(before, usd_h) for each in (budget, dataclasses.replace(budget, usd=budget.usd + more)))
    assert other is None or (one is not None and one <= other + CLOSE)


prices = st.tuples(*(st.none() | usd_hs for _ in NAMES))


@given(pasts, budgets, spendings, prices)
def test_no_session_is_asked_for_that_the_budget_does_not_pay_for(
    past: list[object], budget: Budget, before: Spending, usd: tuple[float | None, ...]
) -> None:
    there = tuple(Offer(backend=name, usd_h=each) for name, each in zip(NAMES, usd, strict=True))
    seen = Seen(fold=RUN, past=past, offers=there, spent=before)  # type: ignore[arg-type]
    action = decide(seen, NOW, Policy(backends=NAMES, budget=budget))
    if isinstance(action, Ask):
        (offer,) = (each for each in there if each.backend == action.backend)
        assert budget.refuses(before, offer.usd_h) is None
    if budget.over(before) is not None:
        assert isinstance(action, GiveUp)


@settings(max_examples=50)
@given(st.floats(0.5, 20.0), usd_hs.filter(bool), st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40))
def test_a_run_that_is_taken_away_again_and_again_ends_within_its_budget(
    usd: float, usd_h: float, shares: list[float]
) -> None:
    """Each session lives some part of what it was given, and the next is decided on what that cost."""
    policy, before = Policy(backends=("docker",), budget=Budget(usd=usd), patience=10**6), Spending()
    for number, share in enumerate(shares, 1):
        past = [ended(number, backend="docker", outcome="interrupted", began=0, at=NOW - 1e6)]
        action = decide(
            Seen(fold=RUN, past=past, offers=(Offer(backend="docker", usd_h=usd_h),), spent=before), NOW, policy
        )
        if isinstance(action, GiveUp):
            assert "facegan-job resume a-run --budget USD" in action.why
            break
        limit_s = policy.budget.left_s(before, usd_h)
        assert limit_s is not None
        before = Spending(costs=(*before.costs, Cost(number=number, ms=int(share * limit_s * 1000), usd_h=usd_h)))
        assert before.usd <= usd + CLOSE


def test_what_a_run_is_given_up_for_is_said_with_what_allows_more() -> None:
    seen = Seen(fold=RUN, past=(), offers=(Offer(backend="docker", usd_h=1.0),), spent=spent(5.2))
    action = decide(seen, NOW, Policy(backends=("docker",), budget=Budget(usd=5.0)))
    assert isinstance(action, GiveUp)
    assert action.why.startswith("it has cost 5.20 USD, and 5 USD are allowed; facegan-job resume a-run --budget USD")


@pytest.mark.parametrize(
    ("budget", "before", "usd_h", "why"),
    [
        (Budget(usd=1.0), spent(0.9), 1.0, "what is left of the budget pays for 6 min, and a start is worth 20"),
        (Budget(usd=1.0), spent(0.1, None), 1.0, "what 0.1 h of its sessions cost is not known, so no budget"),
        (Budget(usd=1.0), Spending(), None, "what an hour costs there is not known, so no budget can be kept"),
        (Budget(hours=2.0), spent(2.0, None), 0.0, "its sessions took 2.0 h, and 2 h are allowed"),
        (Budget(hours=2.0), spent(1.95), 0.0, "what is left of the budget pays for 3 min, and a start is worth 5"),
        (Budget(usd=0.0), Spending(), 0.0, "it has cost 0.00 USD, and 0 USD are allowed"),
    ],
)
def test_a_session_that_is_not_paid_for_is_refused(
    budget: Budget, before: Spending, usd_h: float | None, why: str
) -> None:
    said = budget.refuses(before, usd_h)
    assert said is not None
    assert said.startswith(why)


def test_the_users_own_price_counts_for_hours_whose_price_is_not_known() -> None:
    assert Budget(usd=1.0, usd_h=0.5).left_s(spent(1.0, None), 0.5) == 3600.0


def test_a_budget_travels_in_the_relay_and_what_is_typed_comes_first() -> None:
    whole = Budget(usd=5.0, hours=20.0, usd_h=0.25)
    assert from_json({"backends": ["ec2"], **whole.to_json()}) == whole
    assert from_json({"backends": ["ec2"]}) == Budget()
    assert Budget(usd=8.0).or_else(whole) == Budget(usd=8.0, hours=20.0, usd_h=0.25)
    assert Budget().to_json() == {}


@given(st.none() | st.floats(0.0, 1e6), st.floats(600.0, 1e5))
def test_a_machine_lives_no_longer_than_it_is_paid_for(limit_s: float | None, life_s: float) -> None:
    life = Life(life_s=life_s).within(limit_s)
    assert life.life_s <= life_s
    assert 0.0 <= life.session_s <= life.life_s
    if limit_s is not None and limit_s < life_s:
        assert life.life_s % 60 == 0.0
        assert life.life_s + (BOOT_S if life.life_s else 0.0) <= limit_s
        if limit_s >= LEAST_S:
            assert life.session_s > 0.0


@given(st.none() | st.floats(0.0, 1e6), st.none() | st.floats(0.0, 1e6))
def test_a_session_with_less_left_is_given_no_more(one: float | None, other: float | None) -> None:
    first, second = (
        Order(run="a-run", run_url="memory://", number=1, limit_s=limit).within(43_200.0, 300.0)
        for limit in (one, other)
    )
    assert max(first, second) <= 43_200.0
    if one is not None and (other is None or one <= other):
        assert first <= second
        assert first <= one + 300.0


class TestMachines:
    """What each cloud is asked for holds the budget, whether or not the session does."""

    ASKED = Order(
        run="a-run",
        run_url="s3://bucket/runs/a-run",
        number=1,
        gpu="T4",
        bundle={"digest": "me/facegan@sha256:0", "definition": "facegan:1"},
        limit_s=7200.0,
    )

    ASKED_OF_GRADIENT = dataclasses.replace(ASKED, gpu="A4000")

    def test_ec2(self) -> None:
        text = of_ec2.render(self.ASKED, "us-east-1", Life())
        assert "\nLIFE_MIN=118\n" in text, "two minutes are the machine's own"
        assert f"\nBUDGET_S={7080 - 708}\n" in text

    def test_gce(self) -> None:
        asked = dataclasses.replace(self.ASKED, run_url="gs://bucket/runs/a-run")
        text = of_gce.render(asked, "us-central1", "us-central1-a", Life())
        assert "\nLIFE_MIN=118\n" in text
        assert f"\nBUDGET_S={7080 - 708}\n" in text

    def test_gradient(self) -> None:
        (job,) = of_gradient.run(self.ASKED_OF_GRADIENT, self.ASKED_OF_GRADIENT.within(43_200.0))["spec"][
            "jobs"
        ].values()
        assert job["timeout"] == "120m"

    def test_batch_tries_once_what_a_budget_limits(self) -> None:
        ref = {"job": "facegan-a-run-1", "queue": "facegan", "region": "us-east-1"}
        body = of_batch.body(self.ASKED, ref)
        assert body["retryStrategy"] == {"attempts": 1}
        assert body["timeout"] == {"attemptDurationSeconds": 7200}
        free = of_batch.body(dataclasses.replace(self.ASKED, limit_s=None), ref)
        assert not {"retryStrategy", "timeout"} & free.keys(), "those are the definition's"
