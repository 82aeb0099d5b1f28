"""No order of sessions is better than the plan's by more than a tie: on all small instances of a grid, and drawn ones.

Orders that wait for a quota of which there is some left are none that `watch` would make: those gain less than a tenth.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.planning import search as searching
from jobs.planning.prospects import Meter, Prospect, Terms
from jobs.planning.search import TIE, search
from jobs.planning.sessions import Standing
from tests.planning.brute import cheapest, earliest, outcomes
from tests.planning.places import HOUR_S, rationed, somewhere

DEEP = 6
METERS = (None, rationed(1, 2, 2, 8), rationed(0, 5, 4), rationed(3))
PLACES = [
    {"rate": rate, "cap_h": cap_h, "meter": meter, "usd": usd, "wait_h": wait_h, "start_s": 600.0}
    for (rate, wait_h), cap_h, meter, usd in itertools.product(((1.0, 0.0), (2.0, 0.5)), (None, 3), METERS, (0.0, 0.5))
]


def ends_of(prospects: Sequence[Prospect], steps: float, terms: Terms) -> tuple[float, float]:
    """When the plan ends and what it costs; infinite where there is none."""
    found = search(prospects, 0.0, steps, terms)
    if found is None:
        return math.inf, math.inf
    assert terms.hours is None or sum(each.ends - each.begins for each in found) <= terms.hours * HOUR_S + 1e-3
    return found[-1].ends, sum(each.usd for each in found)


def check(prospects: Sequence[Prospect], steps: float, terms: Terms, slack: float) -> bool:
    """Whether there was a plan to be held to."""
    every = list(outcomes(prospects, 0.0, steps, terms, DEEP))
    best = earliest(every)
    end, usd = ends_of(prospects, steps, terms)
    if math.isinf(best):
        return False  # it takes more sessions than brute force has patience for
    assert end <= best * (1 + TIE) + 1.0, (prospects, steps, terms)
    assert terms.budget is None or usd <= terms.budget + 1e-6
    by = replace(terms, deadline=best * slack)
    end, usd = ends_of(prospects, steps, by)
    assert end <= best * slack + 1.0
    assert usd <= cheapest(every, best * slack) + 1e-6, (prospects, steps, by)
    return True


def test_every_pair_of_places_of_the_grid() -> None:
    pairs = list(itertools.combinations(PLACES, 2))
    assert len(pairs) > 400
    for number, (one, other) in enumerate(pairs):
        prospects = [somewhere("a", **one), somewhere("b", **other)]
        terms = Terms(budget=(None, 1.0)[number % 2], hours=(None, 6.0, 4.5)[number % 3])
        check(prospects, steps=7 * HOUR_S, terms=terms, slack=(1.0, 1.4)[number // 2 % 2])


hours = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 5.0])
meters = st.one_of(
    st.none(),
    st.builds(
        rationed, hours, st.one_of(st.none(), hours.map(lambda each: each + 1)), hours, st.sampled_from([None, 8.0])
    ),
)
places = st.builds(
    somewhere,
    st.just("a"),
    st.sampled_from([0.5, 1.0, 1.5, 2.0]),
    wait_h=st.sampled_from([0.0, 0.25, 1.0]),
    start_s=st.sampled_from([0.0, 300.0, 1200.0]),
    cap_h=st.sampled_from([None, 2.0, 3.0, 5.0, 9.0]),
    meter=meters,
    usd=st.sampled_from([0.0, 0.0, 0.2, 0.5, 1.0]),
    taken=st.sampled_from([0.0, 0.0, 0.2]),
    lost_s=st.sampled_from([0.0, 600.0]),
)


limits = st.builds(Terms, budget=st.sampled_from([None, 1.0, 3.0]), hours=st.sampled_from([None, 2.5, 4.0, 7.0, 12.0]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(places, min_size=1, max_size=3),
    st.sampled_from([3.0, 6.0, 10.0]),
    limits,
    st.sampled_from([1.0, 1.1, 1.5, 2.5]),
)
def test_drawn_places(prospects: list[Prospect], steps_h: float, terms: Terms, slack: float) -> None:
    check(prospects, steps_h * HOUR_S, terms, slack)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(places, min_size=2, max_size=3), st.sampled_from([3.0, 6.0]), st.sampled_from([None, 1.0]))
def test_waiting_for_a_quota_that_is_not_used_up_would_gain_less_than_a_tenth(
    prospects: list[Prospect], steps_h: float, budget: float | None
) -> None:
    steps = steps_h * HOUR_S
    best = earliest(list(outcomes(prospects, 0.0, steps, Terms(budget=budget), 5, idle=True)))
    if not math.isinf(best):
        assert ends_of(prospects, steps, Terms(budget=budget))[0] <= 1.1 * best


def test_where_not_every_order_can_be_tried_the_plan_is_still_near_the_best() -> None:
    """Six places, so that after five sessions there are thousands of ways: narrowed, against all of them."""
    prospects = [
        somewhere(
            f"{number}",
            rate=1.0 + number / 10,
            cap_h=2 + number % 3,
            wait_h=number % 4 / 10,
            usd=0.1 * (number % 2),
            meter=Meter(left_s=3 * HOUR_S, resets_at=(5 + number) * HOUR_S, of_s=2 * HOUR_S, period_s=6 * HOUR_S),
        )
        for number in range(6)
    ]
    for steps_h, budget in ((14.0, None), (14.0, 0.5), (17.0, 0.3)):
        every = list(outcomes(prospects, 0.0, steps_h * HOUR_S, Terms(budget=budget), 6))
        end, _ = ends_of(prospects, steps_h * HOUR_S, Terms(budget=budget))
        best = earliest(every)
        assert not math.isinf(best)
        assert end <= 1.1 * best


def narrow(luck: random.Random) -> tuple[list[Prospect], float, Terms]:
    """Three places of short sessions, of which the faster are waited for; hours that no more than just do."""
    places = []
    for name in "abc":
        rate, left_h = luck.choice((1.0, 1.5, 2.0, 3.0)), luck.choice((0.0, 1.0, 2.0, 3.0))
        meter = rationed(left_h, luck.choice((2.0, 4.0, 6.0)), luck.choice((2.0, 3.0, 4.0)), luck.choice((6.0, 8.0)))
        more = {"meter": meter if luck.random() < 0.35 else None, "usd": luck.choice((0.0, 0.0, 0.3, 0.8))}
        more |= {"start_s": luck.choice((0.0, 600.0)), "cap_h": luck.choice((1.0, 1.5, 2.0, 3.0))}
        wait_h = luck.choice((0.0, 0.5, 1.0, 2.0, 3.0)) if rate > 1.0 else 0.0
        places.append(somewhere(name, rate, wait_h=wait_h, **more))
    steps_h, budget = luck.choice((5.0, 7.0)), luck.choice((None, 1.0, 2.0))
    fastest = max(each.rate.likely for each in places)
    hours = steps_h / fastest * luck.choice((1.05, 1.2, 1.5)) + 0.2
    return places, steps_h * HOUR_S, Terms(budget=budget, hours=hours)


def test_what_is_left_out_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same small instances narrowed from the beginning: who has used up more hours does not cover who has less."""
    monkeypatch.setattr(searching, "EXACT", 0)
    luck, off, count = random.Random(1), 0, 0
    for _ in range(300):
        prospects, steps, terms = narrow(luck)
        every = list(outcomes(prospects, 0.0, steps, terms, DEEP))
        best = earliest(every)
        if math.isinf(best):
            continue
        count += 1
        by = replace(terms, deadline=1.2 * best)
        end, usd = ends_of(prospects, steps, by)
        off += ends_of(prospects, steps, terms)[0] > 1.1 * best
        off += end > 1.2 * best + 1.0 or usd > 1.1 * cheapest(every, 1.2 * best) + 1e-6
    assert count > 200
    assert off <= 2, f"{off} of {2 * count}: what is left out is no proof, but nearly one"


def test_who_is_worse_in_one_respect_covers_nobody() -> None:
    one = Standing(at=10.0, left=5.0, paid=1.0, used_s=7.0, meters=(None, rationed(2)))
    worse = ({"at": 11.0}, {"left": 6.0}, {"paid": 2.0}, {"used_s": 8.0}, {"meters": (None, rationed(1))})
    assert searching._covers(one, one)
    for each in worse:
        assert searching._covers(one, replace(one, **each))
        assert not searching._covers(replace(one, **each), one)
