"""The arithmetic of gaps: ranges of steps whose metrics were lost, less what is trained again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from facegan.ledger.fold import Fold
from facegan.ledger.law import _without

LAST = 30
RANGES = st.tuples(st.integers(1, LAST), st.integers(1, LAST)).map(lambda pair: (min(pair), max(pair)))
GAPS = st.lists(RANGES, max_size=5).map(lambda ranges: tuple(sorted(set(ranges))))


def steps_in(ranges: tuple[tuple[int, int], ...]) -> set[int]:
    return {step for first, last in ranges for step in range(first, last + 1)}


@given(gaps=GAPS, covered=RANGES)
def test_what_is_covered_is_no_gap_any_more_and_all_else_still_is(
    gaps: tuple[tuple[int, int], ...], covered: tuple[int, int]
) -> None:
    assert steps_in(_without(gaps, covered)) == steps_in(gaps) - steps_in((covered,))


@given(gaps=GAPS, covered=RANGES)
def test_no_gap_is_empty_or_upside_down(gaps: tuple[tuple[int, int], ...], covered: tuple[int, int]) -> None:
    assert all(first <= last for first, last in _without(gaps, covered))


@given(gaps=GAPS, covered=st.lists(RANGES, max_size=6))
def test_the_order_in_which_steps_are_covered_does_not_matter(
    gaps: tuple[tuple[int, int], ...], covered: list[tuple[int, int]]
) -> None:
    there = back = gaps
    for one, other in zip(covered, reversed(covered), strict=True):
        there, back = _without(there, one), _without(back, other)
    assert steps_in(there) == steps_in(back)


@given(gaps=GAPS, reached=st.integers(0, LAST), step=st.integers(1, LAST + 5))
def test_history_wants_what_lies_in_a_gap_or_beyond_what_was_reached(
    gaps: tuple[tuple[int, int], ...], reached: int, step: int
) -> None:
    fold = Fold(run="r", experiment="e", steps=LAST, reached=reached, gaps=gaps)
    assert fold.wants_metrics_of(step) == (step > reached or step in steps_in(gaps))
