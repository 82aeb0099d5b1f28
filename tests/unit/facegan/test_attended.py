"""Work that is listened to: left when the session is to stop, and when nothing is heard of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from facegan import runtime
from facegan.attended import LISTEN_S, Attendant
from facegan.committer import Spawn
from facegan.errors import BadInputError, FaceganError
from facegan.stopping import LOST_LEASE, StopCause, StoppedError, StopSignal, interrupted
from tests.fakes.driving import inline

Say = Callable[[str], object]


class Dial:
    """A clock that is read off."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def attendant(
    spawn: Spawn = runtime.spawn, *, stop: StopSignal | None = None, clock: Dial | None = None, say: Say = str
) -> Attendant:
    return Attendant(stop=stop or StopSignal(), spawn=spawn, clock=clock or Dial(), say=say, silence_s=60.0)


@pytest.mark.parametrize("spawn", [inline, runtime.spawn])
def test_what_it_returns_says_and_raises_comes_through(spawn: Spawn) -> None:
    said: list[str] = []

    def work(say: Say) -> int:
        say("half")
        return 7

    def fail(_say: Say) -> int:
        raise BadInputError("no")

    assert attendant(spawn, say=said.append).attend(work) == 7
    assert said == ["half"]
    with pytest.raises(BadInputError, match="no"):
        attendant(spawn).attend(fail)


@pytest.mark.parametrize("cause", [interrupted("received SIGTERM"), LOST_LEASE])
def test_a_stop_leaves_it_at_once_and_it_hears_of_that(cause: StopCause) -> None:
    stop, let_go, ended = StopSignal(), threading.Event(), threading.Event()
    said: list[str] = []

    def work(say: Say) -> None:
        try:
            say("one")
            stop.give(cause)
            let_go.wait(30)
            say("two")
        except StoppedError:
            ended.set()

    with pytest.raises(StoppedError):
        attendant(stop=stop, say=said.append).attend(work)
    let_go.set()
    assert ended.wait(30)
    assert said == ["one"]


def test_work_that_is_done_when_the_stop_comes_is_not_lost() -> None:
    stop = StopSignal()
    assert attendant(inline, stop=stop).attend(lambda _say: stop.give(interrupted("now")) or 7) == 7


def test_work_that_is_heard_of_may_take_as_long_as_it_likes() -> None:
    clock = Dial()

    def work(say: Say) -> str:
        for _ in range(20):
            clock.now += 50.0
            say("more")
            time.sleep(LISTEN_S / 10)
        return "whole"

    assert attendant(clock=clock).attend(work) == "whole"


def test_work_of_which_nothing_is_heard_is_given_up() -> None:
    clock, never = Dial(), threading.Event()

    def work(say: Say) -> None:
        clock.now += 50.0
        say("more")
        clock.now += 61.0
        never.wait(30)

    with pytest.raises(FaceganError, match="nothing was heard of the data for 60 s") as caught:
        attendant(clock=clock).attend(work)
    assert "session.stall_s" in str(caught.value.hint)
    never.set()
