"""Progress is shown in the place of what was shown before, and seldom where every line stays."""

from __future__ import annotations

import pytest

from facegan.progress import MARK, Seldom, show


def test_a_line_of_progress_can_be_told_from_others(capsys: pytest.CaptureFixture[str]) -> None:
    show("half of it")
    assert capsys.readouterr().err == f"{MARK}half of it\n"


def test_what_is_said_too_soon_is_left_out() -> None:
    now = [0.0]
    said: list[str] = []
    seldom = Seldom(said.append, lambda: now[0], every_s=10.0)
    for second in range(25):
        now[0] = float(second)
        seldom(str(second))
    assert said == ["0", "10", "20"]
