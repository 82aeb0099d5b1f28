"""Who waits in a test waits until it happens, and not for ever."""

from __future__ import annotations

import pytest

from tests.waiting import until


def test_it_is_asked_until_it_happens() -> None:
    answers = iter([None, 0, "yes"])
    until(lambda: next(answers))
    assert next(answers, "asked no more") == "asked no more"


def test_what_never_comes_fails_with_what_was_said_meanwhile() -> None:
    with pytest.raises(AssertionError, match="the log"):
        until(lambda: False, lambda: "the log", patience_s=0)
