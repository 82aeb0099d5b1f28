"""Each line of a log once and in order, however often its stream breaks, and wherever the session ends meanwhile."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from jobs.backends.kaggle import log
from jobs.backends.kaggle.log import Joined

TEXTS = st.lists(st.text(max_size=8).map(lambda text: f"{text}\n"), max_size=12)


def event(text: str) -> dict[str, object]:
    return {"stream_name": "stdout", "time": 1.5, "data": text}


def streamed(texts: list[str]) -> list[bytes]:
    return [line for text in texts for line in (f"data: {json.dumps(event(text))}\n".encode(), b"\n")]


def kept(texts: list[str]) -> str:
    return "[" + "\n,".join(json.dumps(event(text)) for text in texts) + "\n]"


END = [b"data: END_OF_LOG\n", b"\n"]


@given(TEXTS, st.lists(st.integers(0, 12), max_size=4))
def test_a_stream_that_breaks_anywhere_is_joined(texts: list[str], cuts: list[int]) -> None:
    joined, got = Joined(), []
    for cut in cuts:
        got += list(joined.stream(streamed(texts[:cut])))
        assert not joined.over
    got += list(joined.stream([*streamed(texts), *END]))
    assert got == texts
    assert joined.over


@given(TEXTS, st.integers(0, 12))
def test_the_list_after_the_end_goes_on_where_the_stream_broke(texts: list[str], cut: int) -> None:
    by_call, by_address = Joined(), Joined()
    got = list(by_call.stream(streamed(texts[:cut])))
    assert [*got, *by_call.ended(kept(texts))] == texts
    got = list(by_address.stream(streamed(texts[:cut])))
    assert [*got, *by_address.stream(kept(texts).encode().splitlines(keepends=True))] == texts
    assert by_call.over
    assert by_address.over


def test_a_reader_that_stops_in_the_middle_loses_nothing() -> None:
    joined = Joined()
    assert next(joined.stream(streamed(["a\n", "b\n"]))) == "a\n"
    assert list(joined.stream(streamed(["a\n", "b\n"]))) == ["b\n"]


def test_a_comment_says_that_all_was_read() -> None:
    assert list(Joined().stream([*streamed(["a\n"]), b": keep-alive\n", b"\n"])) == ["a\n", None]


def test_what_is_no_event_is_no_line() -> None:
    assert list(Joined().stream([b"event: x\n", b"id: 4\n", b"nonsense\n"])) == []


def test_a_log_that_is_no_list_is_given_as_it_is() -> None:
    assert list(Joined().ended("plain words")) == ["plain words"]


def test_the_last_exit_code_counts() -> None:
    assert log.exit_code("facegan-exit: 1\nnoise\nfacegan-exit: 75\n[NbConvertApp] x\n") == 75
    assert log.exit_code("it says facegan-exit: 1\n") is None


def test_why_it_could_not_begin() -> None:
    assert log.reason("a\nfacegan-why: no GPU\nTraceback\n") == "no GPU"
    assert log.reason("a\n") == ""
