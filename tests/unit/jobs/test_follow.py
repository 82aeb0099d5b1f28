"""Following a run and waiting for it, on a clock that stands still."""

from __future__ import annotations

from pathlib import Path

import pytest

from facegan import layout
from facegan.ledger import Fold, State
from facegan.length import duration
from facegan.storage.memory import MemoryStore
from jobs.follow import ENDING_S, Ticker, follow, progress, wait
from jobs.run import RunView
from tests.unit.jobs import world
from tests.unit.jobs.world import Clock


class Shown(Ticker):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.left = False

    def show(self, text: str) -> None:
        self.lines.append(text)

    def done(self) -> None:
        self.left = True


@pytest.fixture
def time() -> Clock:
    return Clock()


def watch(home: Path, store: MemoryStore, time: Clock) -> tuple[RunView, Shown]:
    context, shown = world.context(home, store, time), Shown()
    return follow(context, context.ledger(world.RUN), shown, shown.show), shown


def wait_for(home: Path, store: MemoryStore, time: Clock, timeout_s: float | None = None) -> Fold | None:
    context = world.context(home, store, time)
    deadline = None if timeout_s is None else time.now + timeout_s
    return wait(context, context.ledger(world.RUN), deadline, print)


def asked(store: MemoryStore) -> None:
    world.create(store)
    world.ask(store)


def test_follow_of_a_run_without_an_open_session_shows_it_once(home: Path, store: MemoryStore, time: Clock) -> None:
    world.finished(store)
    now, shown = watch(home, store, time)
    assert now.state == "finished"
    assert len(shown.lines) == 1
    assert shown.left
    assert not time.slept


def test_follow_goes_on_until_the_session_ends(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    time.at(5, lambda: world.train(store, 1))
    now, shown = watch(home, store, time)
    assert now.state == "finished"
    assert time.now == 105
    assert "queued" in shown.lines[0]
    assert "finished" in shown.lines[-1]


def test_follow_ends_with_the_session_and_not_with_the_run(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    time.at(2, lambda: world.train(store, 1, build=world.BrokenToy))
    assert watch(home, store, time)[0].state == "failed"


def test_follow_does_not_hang_on_the_dead(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    time.at(2, lambda: world.die(store))
    now, _ = watch(home, store, time)
    assert now.state == "interrupted"
    assert world.kinds(store)[-1] == "lost"
    assert time.now <= 106


def test_follow_of_a_session_nobody_knows_about_goes_on(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    world.die(store, machine={"host": "elsewhere", "boot": "b", "pid": 1, "start": "1"})
    time.at(200, lambda: world.append_as_holder(store, "report", session=1, outcome="failed", step=4, why="w"))
    assert watch(home, store, time)[0].state == "failed"
    assert time.now == 300


def test_wait_returns_at_once_when_no_session_is_open(home: Path, store: MemoryStore, time: Clock) -> None:
    world.interrupted(store)
    fold = wait_for(home, store, time)
    assert fold is not None
    assert fold.state is State.INTERRUPTED
    assert not time.slept


def test_wait_returns_when_the_session_ends(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    time.at(7, lambda: world.train(store, 1))
    fold = wait_for(home, store, time)
    assert fold is not None
    assert fold.state is State.FINISHED
    assert time.now == 107


def test_wait_buries_the_dead(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    world.die(store)
    fold = wait_for(home, store, time)
    assert fold is not None
    assert fold.state is State.INTERRUPTED


@pytest.mark.parametrize("timeout_s", [0, 0.5, 3, 3.25])
def test_wait_ends_exactly_at_its_deadline(timeout_s: float, home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    assert wait_for(home, store, time, timeout_s) is None
    assert time.now == pytest.approx(100 + timeout_s)


def test_what_ends_by_the_deadline_counts(home: Path, store: MemoryStore, time: Clock) -> None:
    asked(store)
    time.at(3, lambda: world.train(store, 1))
    assert wait_for(home, store, time, 3) is not None


def shown(**changes: object) -> str:
    fields = {
        "run": "a", "experiment": "e", "state": "running", "flags": (), "step": 500, "steps": 2_000,
        "checkpoint": 0, "sessions": 1, "backend": "local", "device": "", "rate": 0.0, "losses": {}, "at": 0.0,
        "why": "",
    }  # fmt: skip
    return progress(RunView(**(fields | changes)))  # type: ignore[arg-type]


def test_progress_says_step_rate_time_to_go_losses_and_checkpoint() -> None:
    line = shown(rate=2.5, losses={"d_loss": 0.512, "g_loss": 1.0, "d_real": 0.5, "d_fake": 0.25}, checkpoint=400)
    assert line == (
        "a  running  step 500/2,000 (25 %)  2.5 steps/s  10m 00s to go  "
        "d_loss 0.51  g_loss 1.00  d_real 0.50  checkpoint 400"
    )


def test_progress_promises_nothing_it_does_not_know() -> None:
    assert shown() == "a  running  step 500/2,000 (25 %)"
    assert "to go" not in shown(state="interrupted", rate=2.5)
    assert "to go" not in shown(step=2_000, rate=2.5)


def test_progress_carries_the_flags() -> None:
    assert shown(flags=("stopping", "unreachable")).endswith("  stopping  unreachable")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"), (12.9, "13s"), (59, "59s"), (60, "1m 00s"), (200, "3m 20s"), (3_599, "59m 59s"), (3_600, "1h 00m"),
        (15_840, "4h 24m"), (86_399, "23h 59m"), (86_400, "1d 0h"), (266_400, "3d 2h"),
    ],
)  # fmt: skip
def test_a_length_of_time_as_a_person_says_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def finished_without_a_word(store: MemoryStore) -> tuple[str, bytes]:
    """A run whose last step is committed, and whose session has not said yet that it ends; that word, to be said."""
    asked(store)
    world.train(store, 1, machine={"host": "elsewhere", "boot": "b", "pid": 1, "start": "1"})
    last = max(store.list(layout.ledger(world.RUN)))
    assert world.kinds(store)[-1] == "report"
    return last, store.objects.pop(last)


def test_wait_goes_on_for_the_moment_between_a_runs_end_and_its_sessions(
    home: Path, store: MemoryStore, time: Clock
) -> None:
    word = finished_without_a_word(store)
    time.at(4, lambda: store.put(*word))
    fold = wait_for(home, store, time)
    assert fold is not None
    assert (fold.state, fold.open) == (State.FINISHED, ())
    assert time.now == 104


@pytest.mark.parametrize(("timeout_s", "after_s"), [(None, ENDING_S), (3, 3), (0, 0), (1_000, ENDING_S)])
def test_wait_knows_how_a_run_ended_whose_session_never_says_so(
    timeout_s: float | None, after_s: float, home: Path, store: MemoryStore, time: Clock
) -> None:
    finished_without_a_word(store)
    fold = wait_for(home, store, time, timeout_s)
    assert fold is not None
    assert fold.state is State.FINISHED
    assert time.now == 100 + after_s
