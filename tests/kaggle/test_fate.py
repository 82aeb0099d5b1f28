"""What became of a session: nothing is concluded too early."""

from __future__ import annotations

import pytest

from facegan.process import Life
from jobs.backends.kaggle.backend import KaggleBackend
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.faults import DROP
from tests.kaggle.looking import NAME
from tests.kaggle.submitting import hand, order
from tests.waiting import until


def test_it_lives_until_kaggle_says_otherwise(service: Kaggle, here: KaggleBackend) -> None:
    service.set(queue_s=1e6)
    ref = here.submit(order(), hand)
    for status in ("QUEUED", "RUNNING", "CANCEL_REQUESTED"):
        service.kernel(NAME).status = status
        assert here.fate(ref).life is Life.ALIVE
    for status in ("NEW_SCRIPT", "ASLEEP"):
        service.kernel(NAME).status = status
        assert here.fate(ref).life is Life.UNKNOWN
    for status in ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED"):
        service.kernel(NAME).status = status
        assert here.fate(ref).life is Life.GONE


def test_one_that_could_not_begin_says_why(service: Kaggle, here: KaggleBackend) -> None:
    ref = here.submit(order(), hand)
    service.over(NAME)
    fate = here.fate(ref)
    assert fate.life is Life.GONE
    assert "could not begin" in fate.why
    assert "cannot reach its store at 127.0.0.1:1" in fate.why
    assert "cannot reach its store" in here.last_words(order())


@pytest.mark.parametrize("code", [DROP, 429, 503])
def test_what_does_not_answer_is_not_gone(service: Kaggle, here: KaggleBackend, code: int) -> None:
    ref = here.submit(order(), hand)
    service.over(NAME)
    service.faults.fail("", code=code, times=99)
    assert here.fate(ref).life is Life.UNKNOWN
    assert here.last_words(order()) == ""


def test_a_token_that_ended_makes_nothing_gone(service: Kaggle, here: KaggleBackend) -> None:
    ref = here.submit(order(), hand)
    service.account.token = "another"
    assert here.fate(ref).life is Life.UNKNOWN


def test_the_live_log_is_read_without_waiting_for_its_end(service: Kaggle, here: KaggleBackend) -> None:
    service.set(events_before_cut=3)
    ref = here.submit(order(), hand)
    session = service.session(NAME)
    until(lambda: session.over)
    live = session.log.plain()
    session.status = "RUNNING"
    session.log._closed = False
    words = here.last_words(order())
    assert words
    assert live.startswith(words)
    assert len(words.splitlines()) == len(set(words.splitlines()))
    assert here.fate(ref).life is Life.ALIVE
