"""What every exploration of this suite needs: the small watch, and a place to say what was explored."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from facegan import experiment, lease
from tests.interleaving.explorer import Explored, Explorer, Scenario

_SAID: list[str] = []


@pytest.fixture
def explore(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], Explored]:
    """Explore a scenario to its end, with as many looks at a silent session as it says.

    The real number of looks only repeats the same loop; the scenario with two shows that one look's end is the
    next one's beginning. Reading an experiment is made cheaper, because it is read again in every local history.
    """
    monkeypatch.setattr(experiment, "_types", cache(experiment._types))

    def run(scenario: Scenario) -> Explored:
        monkeypatch.setattr(lease, "LOOKS", scenario.looks)
        found = Explorer(scenario).explore()
        _SAID.append(str(found))
        return found

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _SAID:
        terminalreporter.section("interleavings explored")
        for line in _SAID:
            terminalreporter.write_line(line)
