"""Each line once and in order, whichever of its two sources has it first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from jobs.joined import Joined

WORDS = st.sampled_from(["a\n", "b\n", "\n", "step 1\n", "step 2\n"])
LINES = st.lists(WORDS, max_size=12)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """What a place has of a session in the end, and what the store has of it: some lines of the former, in order."""
    place = draw(LINES)
    kept = draw(st.lists(st.booleans(), min_size=len(place), max_size=len(place)))
    return place, [line for line, is_kept in zip(place, kept, strict=True) if is_kept]


LOOKS = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=8)


def looked(place: Sequence[str], store: Sequence[str], looks: Sequence[tuple[bool, int]]) -> list[str]:
    """What was shown after these looks at the place's first lines or the store's next ones, and one at all of both."""
    joined, given_from_store, shown = Joined(), 0, []
    for at_place, count in looks:
        if at_place:
            shown += joined.place(place[:count])
        else:
            shown += joined.store("".join(store[given_from_store:count]))
            given_from_store = max(given_from_store, min(count, len(store)))
    return [*shown, *joined.place(place), *joined.store("".join(store[given_from_store:])), *joined.rest()]


@given(sessions(), LOOKS)
def test_each_line_is_shown_as_often_as_it_was_printed(
    session: tuple[list[str], list[str]], looks: list[tuple[bool, int]]
) -> None:
    place, store = session
    assert Counter(looked(place, store, looks)) == Counter(place)


@given(sessions(), st.lists(st.integers(0, 12), max_size=6))
def test_where_the_place_is_ahead_its_order_is_kept(session: tuple[list[str], list[str]], ends: list[int]) -> None:
    place, store = session
    looks = [(True, end) for end in sorted(ends)]
    assert looked(place, store, looks) == place


@given(LINES, st.lists(st.integers(0, 12), max_size=6), st.integers(0, 12))
def test_a_place_that_loses_or_never_had_a_log_takes_nothing_away(store: list[str], ends: list[int], had: int) -> None:
    """The store is ahead of a log that comes late and is cut short."""
    looks = [look for end in sorted(ends) for look in ((False, end), (True, min(end, had)))]
    joined, at, shown = Joined(), 0, []
    for at_place, count in looks:
        if at_place:
            shown += joined.place(store[:count])
        else:
            shown += joined.store("".join(store[at:count]))
            at = max(at, min(count, len(store)))
    assert [*shown, *joined.store("".join(store[at:]))] == store


@given(st.text(alphabet="ab\n\r", max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_pieces_may_end_anywhere(text: str, cuts: list[int]) -> None:
    joined, shown, at = Joined(), "", 0
    text = text.replace("\r", "\n")
    for cut in [*sorted(cuts), len(text)]:
        shown += "".join(joined.store(text[at:cut]))
        at = max(at, cut)
    assert shown + "".join(joined.rest()) == text


def test_what_only_the_place_has_stands_where_it_was_printed() -> None:
    joined = Joined()
    place = ["facegan-start: hello\n", "10:00 begins\n", "10:01 step\n"]
    assert list(joined.place(place)) == place
    assert list(joined.store("10:00 begins\n10:01 step\n")) == []
    assert list(joined.store("10:02 step\n")) == ["10:02 step\n"]
    last = [*place, "10:02 step\n", "10:03 the last before the crash\n", "facegan-exit: 1\n"]
    assert list(joined.place(last)) == last[-2:]


def test_ends_of_lines_are_one() -> None:
    """A progress bar is one line in the store; the script at the place reads it as several."""
    joined = Joined()
    assert list(joined.place(["1 %\n", "2 %\n"])) == ["1 %\n", "2 %\n"]
    assert list(joined.store("1 %\r2 %\r\n")) == []


def test_a_last_line_without_an_end_that_the_place_has_with_one_is_not_repeated() -> None:
    joined = Joined()
    assert list(joined.place(["cut\n"])) == ["cut\n"]
    assert [*joined.store("cut"), *joined.rest()] == []
