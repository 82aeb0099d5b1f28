"""What a plan says: its legs, its end, its price, and what there is to be said where there is none."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import budget
from jobs.planning.plan import Course, Order, Plan, order, plan
from jobs.planning.play import LOOK_EVERY_S
from jobs.planning.prospects import FREE_LEAST_S, PAID_LEAST_S, Estimate, Meter, Prospect, Terms, Unfit
from jobs.planning.search import search
from jobs.planning.spread import Spread
from tests.planning.places import DAY_S, HOUR_S, about, rationed, somewhere

KAGGLE = somewhere("kaggle", 10, cap_h=12, wait_h=0.02, start_s=120, meter=rationed(20, 72, 30, 168), spread=about(10))
COLAB = somewhere("colab", 9.5, cap_h=12, wait_h=0.02, start_s=150, spread=about(9.5))
SPOT = somewhere("ec2", 11, cap_h=23, wait_h=0.05, start_s=300, usd=0.2, taken=0.05, spread=about(11))
HERE = somewhere("local", 1)
ALL = [KAGGLE, COLAB, SPOT, HERE]


def made(prospects: list[Prospect], of_h: float, done: int = 0, **terms: float) -> Plan:
    """A plan for so many hours at ten steps a second."""
    return plan(prospects, (), Course(now=0.0, done=done, steps=int(of_h * 10 * HOUR_S)), Terms(**terms))


def on(found: Plan) -> list[str]:
    return [leg.backend for leg in found.legs]


def test_legs_follow_one_another_and_their_steps_make_up_the_run() -> None:
    found = made(ALL, 60, done=1234, budget=3.0)
    steps = [1234, *[leg.last for leg in found.legs]]
    assert [leg.first for leg in found.legs] == steps[:-1]
    assert steps[-1] == 60 * 36_000
    for one, next_ in itertools.pairwise(found.legs):
        assert one.asked <= one.begins < one.ends <= next_.asked
    assert found.usd <= 3.0
    assert found.legs[-1].why == "until it is done"


def test_a_session_that_is_paid_is_no_longer_than_the_budget() -> None:
    found = made([SPOT, HERE], 50, budget=1.0)
    assert on(found) == ["ec2", "local"]
    assert found.usd == pytest.approx(1.0)
    assert found.legs[0].why == "until the budget ends"


def test_what_costs_nothing_comes_before_what_is_paid_where_they_end_alike() -> None:
    paid = somewhere("ec2", 10.1, usd=0.5)
    free = somewhere("colab", 10.0)
    assert on(made([paid, free], 20)) == ["colab"]
    assert on(made([somewhere("ec2", 12, usd=0.5), free], 20)) == ["ec2"], "a sixth earlier is no tie"


def test_by_a_deadline_no_more_is_paid_than_it_takes() -> None:
    alone = made([KAGGLE], 60)
    assert alone.ends is not None
    assert alone.usd == 0.0
    found = made([KAGGLE, SPOT], 60, deadline=0.9 * alone.ends)
    assert found.ends is not None
    assert found.ends <= 0.9 * alone.ends
    assert 0.0 < found.usd < made([SPOT], 60).usd
    assert on(made([KAGGLE, SPOT], 60, deadline=2 * alone.ends)) == ["kaggle"] * len(alone.legs)


def test_a_deadline_that_nothing_meets_is_said_with_the_earliest_there_is() -> None:
    found = made(ALL, 60, deadline=HOUR_S)
    assert found.is_late
    assert found.ends == made(ALL, 60).ends
    assert not made(ALL, 60, deadline=100 * HOUR_S).is_late


def test_a_quota_that_is_used_up_is_waited_for() -> None:
    empty = somewhere("kaggle", 10, cap_h=12, meter=rationed(0, 72, 30, 168))
    found = made([empty], 10)
    assert found.legs[0].asked == 72 * HOUR_S
    assert found.legs[0].why == "quota anew, until it is done"


def test_what_is_used_up_for_good_is_no_way_to_the_end() -> None:
    found = made([somewhere("kaggle", 10, meter=rationed(5))], 10)
    assert found.legs == ()
    assert "no order of sessions" in found.why
    assert found.ends is None
    assert found.spread is None


def test_the_budget_is_named_where_it_is_too_small() -> None:
    assert "for 1.00 USD" in made([somewhere("ec2", 10, usd=0.5)], 10, budget=1.0).why


def test_no_more_hours_are_planned_than_sessions_may_take() -> None:
    enough = made([KAGGLE, HERE], 20, hours=25.0)
    assert enough.ends == made([KAGGLE, HERE], 20).ends
    short = made([KAGGLE, HERE], 20, hours=15.0)
    assert short.legs == ()
    assert "in 15.0 h of sessions" in short.why
    slow = made([HERE, somewhere("ec2", 10, usd=0.5)], 20, budget=5.0, hours=25.0)
    assert sum(leg.ends - leg.begins for leg in slow.legs) <= 25 * HOUR_S
    assert on(made([HERE], 1, hours=10.5)) == ["local"]
    assert on(made([HERE], 1, hours=9.5)) == []


def test_a_run_that_is_done_needs_no_plan() -> None:
    assert made(ALL, 1, done=36_000).why == "all 36,000 steps are committed"


def test_backends_that_cannot_are_kept_with_the_reason() -> None:
    unfit = Unfit(backend="colab", gpu="T4", why="not signed in")
    assert plan([], [unfit], Course(now=0.0, done=0, steps=10), Terms()).unfit == (unfit,)


def test_the_spread_holds_the_likely_end_and_is_the_same_each_time() -> None:
    for hours in (5, 60):
        found = made(ALL, hours)
        assert found.spread is not None
        assert found.ends is not None
        assert found.spread.early < found.ends < found.spread.late
        assert made(ALL, hours) == found


def test_a_sure_rate_has_no_spread_and_a_vague_one_has_its_own() -> None:
    sure = made([somewhere("a", 10)], 10).spread
    assert sure is not None
    assert sure.early == sure.late == 10 * HOUR_S
    vague = made([somewhere("a", 10, spread=Estimate(likely=10, low=5, high=20))], 10).spread
    assert vague is not None
    assert vague.early == pytest.approx(5 * HOUR_S, rel=0.15)
    assert vague.late == pytest.approx(20 * HOUR_S, rel=0.15)


def test_machines_that_are_taken_back_make_it_later_and_less_sure() -> None:
    calm = made([somewhere("ec2", 10, wait_h=0.1, start_s=600)], 30)
    spot = made([somewhere("ec2", 10, wait_h=0.1, start_s=600, taken=0.2)], 30)
    assert calm.ends is not None
    assert spot.ends is not None
    assert spot.ends > calm.ends
    assert spot.spread is not None
    assert spot.spread.late > spot.spread.early
    assert spot.legs[0].why == "until it is taken back"


def test_what_was_not_committed_is_trained_again() -> None:
    taken = made([somewhere("ec2", 10, wait_h=0.1, start_s=600, taken=0.2)], 30)
    lossy = made([somewhere("ec2", 10, wait_h=0.1, start_s=600, taken=0.2, lost_s=1800)], 30)
    assert taken.spread is not None
    assert lossy.spread is not None
    assert lossy.ends == pytest.approx((taken.ends or 0.0) + (len(taken.legs) - 1) * 1800, abs=1000)
    assert lossy.spread.late > taken.spread.late
    assert made([somewhere("ec2", 10, lost_s=1800)], 30).ends == 30 * HOUR_S, "nobody takes it"


def test_sessions_that_fail_make_the_end_less_sure_and_the_plan_no_other() -> None:
    calm = made([somewhere("a", 10)], 30)
    shaky = plan(
        [replace(somewhere("a", 10, wait_h=0.0, lost_s=900), fails_per_h=0.1)],
        (),
        Course(now=0.0, done=0, steps=30 * 36_000),
        Terms(),
    )
    assert shaky.legs == calm.legs
    assert shaky.spread is not None
    assert shaky.spread.late > shaky.spread.early >= (calm.ends or 0.0)


def spread_of(prospects: list[Prospect], of_h: float = 30.0) -> Spread:
    found = made(prospects, of_h).spread
    assert found is not None
    return found


def test_between_two_sessions_a_watch_has_to_come_by() -> None:
    found = made([somewhere("a", 10, cap_h=5)], 30)
    assert found.ends == 30 * HOUR_S
    assert found.spread is not None
    middle_s = found.spread.middle - found.ends
    assert middle_s == pytest.approx(5 * LOOK_EVERY_S / 2, rel=0.3), "five times, half of its interval on an average"
    assert found.spread.early > found.ends


def test_a_place_that_is_crowded_makes_it_later_and_no_other_plan() -> None:
    calm, crowded = somewhere("a", 10, cap_h=3), replace(somewhere("a", 10, cap_h=3), crowded=0.5)
    assert made([crowded], 30).legs == made([calm], 30).legs
    later_s = spread_of([crowded]).middle - spread_of([calm]).middle
    assert later_s == pytest.approx(10 * LOOK_EVERY_S, rel=0.4), "ten sessions, of which each is refused once"
    other = somewhere("b", 9.9)
    assert spread_of([crowded, other]).middle < spread_of([crowded]).middle, "another place has room"


def test_whoever_has_lost_a_session_is_asked_a_look_later_or_another_place_at_once() -> None:
    shaky = replace(somewhere("a", 10), fails_per_h=0.3, lost_s=0.0)
    alone, beside = spread_of([shaky]), spread_of([shaky, somewhere("b", 9.99)])
    assert beside.middle < alone.middle
    assert alone.middle == pytest.approx(30 * HOUR_S + 9 * 1.5 * LOOK_EVERY_S, rel=0.03)


def test_a_step_that_never_ends_costs_as_long_as_nobody_gives_up() -> None:
    prompt, patient = (replace(somewhere("a", 10, cap_h=3), stall_s=each * HOUR_S) for each in (0.1, 2.0))
    assert spread_of([patient], 60).late > spread_of([prompt], 60).late + HOUR_S


def test_a_leg_says_its_cap_and_what_is_left_of_the_quota_when_it_begins() -> None:
    limits = [(leg.cap_s, leg.quota_left_s, leg.quota_of_s) for leg in made([KAGGLE], 25).legs]
    cap_s, of_s = 12 * HOUR_S, 30 * HOUR_S
    assert limits == [(cap_s, 20 * HOUR_S, of_s), (cap_s, 8 * HOUR_S, of_s), (cap_s, of_s, of_s)]
    assert made([HERE], 1).legs[0].cap_s is made([HERE], 1).legs[0].quota_left_s is None


def test_how_many_come_in_time_is_told() -> None:
    likely = made([somewhere("a", 10, spread=about(10, 0.3))], 10).ends
    assert likely is not None
    found = made([somewhere("a", 10, spread=about(10, 0.3))], 10, deadline=likely)
    assert found.spread is not None
    assert found.spread.in_time == pytest.approx(0.5, abs=0.15)


def with_open(opening: Prospect, hours: float, prospects: list[Prospect]) -> Plan:
    course = Course(now=0.0, done=0, steps=int(hours * 10 * HOUR_S), opening=opening)
    return plan(prospects, (), course, Terms())


def test_a_session_that_runs_is_the_first_leg_whatever_would_be_better() -> None:
    running = replace(KAGGLE, wait_s=Estimate.exactly(0.0), start_s=0.0, cap_s=3 * HOUR_S)
    found = with_open(running, 20, [somewhere("colab", 100, cap_h=12), KAGGLE])
    assert on(found) == ["kaggle", "colab"]
    assert found.legs[0].begins == 0.0
    assert found.legs[0].ends == 3 * HOUR_S
    assert found.legs[0].why == "goes on, until its cap"
    assert found.spread is not None
    assert (found.ends or 0.0) < found.spread.early < found.spread.late, "a watch has to come by"


def test_a_session_that_runs_uses_the_quota_that_the_next_ones_lack() -> None:
    running = replace(KAGGLE, wait_s=Estimate.exactly(0.0), start_s=0.0, cap_s=10 * HOUR_S)
    found = with_open(running, 40, [KAGGLE])
    assert [leg.ends - leg.begins > 9 * HOUR_S for leg in found.legs][:2] == [True, True]
    assert found.legs[2].why.startswith("quota anew")


def test_a_session_that_runs_goes_on_however_little_is_left_for_it() -> None:
    running = replace(SPOT, wait_s=Estimate.exactly(0.0), start_s=0.0, taken_per_h=0.0)
    course = Course(now=0.0, done=0, steps=10 * 36_000, opening=running)
    for terms in (Terms(budget=0.02), Terms(hours=0.1, budget=9.0)):  # six minutes
        found = plan([SPOT, somewhere("colab", 10)], (), course, terms)
        assert on(found)[:1] == (["ec2"] if terms.hours is None else [])
    spent = replace(running, meter=rationed(0.05, 72, 30, 168))
    assert plan([spent], (), replace(course, opening=spent), Terms()).legs[0].ends == pytest.approx(0.05 * HOUR_S)


def test_a_session_that_runs_where_no_other_can_be_had_is_in_the_plan_all_the_same() -> None:
    running = somewhere("kaggle", 10, cap_h=5)
    assert on(with_open(running, 12, [HERE])) == ["kaggle", "local"]
    assert on(with_open(running, 4, [])) == ["kaggle"]
    assert on(with_open(running, 12, [])) == []


def test_the_first_to_be_asked_is_the_first_leg() -> None:
    for terms in (Terms(), Terms(budget=2.0), Terms(deadline=90 * HOUR_S)):
        steps = 60 * 10 * HOUR_S
        found = plan(ALL, (), Course(now=0.0, done=0, steps=int(steps)), terms)
        assert order(ALL, 0.0, steps, terms).backends[0] == found.legs[0].backend


def test_whoever_is_better_waited_for_is_not_overtaken_by_what_could_be_had_at_once() -> None:
    empty = somewhere("kaggle", 10, cap_h=12, meter=rationed(0, 10, 30, 168))
    steps = 10 * 10 * HOUR_S
    assert order([HERE, empty], 0.0, steps, Terms()) == Order(backends=("kaggle",), is_waited_for=True)
    assert order([HERE, empty], 0.0, 10 * HOUR_S, Terms()) == Order(backends=("local", "kaggle"), is_waited_for=True)


def test_none_is_to_be_asked_where_none_leads_to_the_end() -> None:
    assert order([somewhere("kaggle", 10, meter=rationed(5))], 0.0, 10 * 10 * HOUR_S, Terms()) == Order()


def test_a_realistic_plan_is_made_in_no_time() -> None:
    """The figure of the machine that runs this is printed; ten times what it takes by itself would be a defect."""
    began = time.process_time()
    for terms in (Terms(), Terms(budget=3.0), Terms(deadline=160 * HOUR_S)):
        search(ALL, 0.0, 100 * 10 * HOUR_S, terms)
    took_s = (time.process_time() - began) / 3
    print(f"\na plan of {len(made(ALL, 100, budget=3.0).legs)} sessions over four places: {1000 * took_s:.0f} ms")
    assert took_s < 0.5


def test_the_shortest_session_that_is_paid_is_the_budgets_own() -> None:
    assert (PAID_LEAST_S, FREE_LEAST_S) == (budget.LEAST_S, budget.FREE_LEAST_S)


times = st.floats(0, 20 * DAY_S)


@settings(deadline=None, derandomize=True)
@given(
    st.builds(
        Meter,
        left_s=st.floats(0, 2 * DAY_S),
        resets_at=st.one_of(st.none(), times),
        of_s=st.floats(0, 2 * DAY_S),
        period_s=st.one_of(st.none(), st.floats(HOUR_S, 7 * DAY_S)),
    ),
    times,
    st.floats(1.0, 2 * DAY_S),
)
def test_no_more_is_used_than_a_quota_has(meter: Meter, begins: float, most_s: float) -> None:
    lasts_s = meter.lasts(begins, most_s)
    assert 0.0 <= lasts_s <= most_s
    after = meter.after(begins, lasts_s)
    assert 0.0 <= after.left_s <= max(meter.left_s, meter.of_s)
    if lasts_s < most_s - 1e-3:
        assert after.left_s == pytest.approx(0.0, abs=1e-3)
        assert after.lasts(begins + lasts_s, 1.0) == pytest.approx(0.0, abs=1e-3) or after.resets_at is not None
    assert not math.isnan(lasts_s)
