"""How much of Kaggle's time a session plans with: whatever comes after it has its time too."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.backends.kaggle import script
from jobs.backends.kaggle.backend import Times
from jobs.bundle import Wheel
from tests.kaggle.submitting import backend, order
from tests.kaggle.test_script import parts

AGE_S = 20.0
MADE = Wheel(name="x.whl", version="1", data=b"")


@pytest.fixture
def times() -> Times:
    return Times()


def script_of(home: Path, grace_s: float, *, carried: bool) -> dict[str, Any]:
    """What the script of such a session defines."""
    asked = dataclasses.replace(order(), grace_s=grace_s, carried=carried)
    return parts(script.render(backend(home)._for_session(asked, "a-data-set", MADE), None))


@pytest.mark.parametrize("grace_s", [60.0, 289.0, 291.0, 590.0, 1800.0])
@pytest.mark.parametrize("carried", [False, True])
def test_after_all_of_its_grace_there_is_time_to_pack(
    tmp_path: Path, times: Times, grace_s: float, carried: bool
) -> None:
    scope = script_of(tmp_path, grace_s, carried=carried)
    killed_at_s = AGE_S + scope["time_left_s"](AGE_S) + grace_s + scope["LATER_S"]
    assert times.session_s - killed_at_s >= (times.packs_s if carried else 0.0)


@pytest.mark.parametrize(("carried", "unused_s"), [(False, 300.0), (True, 600.0)])
def test_what_is_left_unused_of_an_ordinary_session_is_as_documented(
    tmp_path: Path, times: Times, carried: bool, unused_s: float
) -> None:
    left_s = script_of(tmp_path, 60.0, carried=carried)["time_left_s"](AGE_S)
    assert times.session_s - AGE_S - left_s == unused_s


def test_its_process_is_ended_by_the_same_reckoning(tmp_path: Path, times: Times) -> None:
    """One that does not hear that its time is up is killed while there is still time to pack."""
    scope, asked = script_of(tmp_path, 590.0, carried=True), []

    class Child:
        stdout: tuple[bytes, ...] = ()

        @staticmethod
        def wait() -> int:
            return 75

    @contextlib.contextmanager
    def ended_in_time(_child: object, asked_s: float, killed_s: float) -> Iterator[None]:
        asked.extend((asked_s, killed_s))
        yield

    scope["started"] = lambda *_, **__: Child()
    scope["ended_in_time"] = ended_in_time
    left_s = scope["time_left_s"](AGE_S)
    assert scope["session"](b"", tmp_path, left_s) == 75
    assert asked[0] == left_s
    assert AGE_S + asked[1] <= times.session_s - times.packs_s
