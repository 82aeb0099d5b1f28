"""Forty hours of training on sessions of twelve: in hours that take no time, and in seconds that are real.

Waste is what is left of a session, between its process' end and Kaggle's limit, as a part of that limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.experiment import Experiment, override
from facegan.ledger import Ledger
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, orders, recipe, settings
from jobs.backends.kaggle import facts, script
from jobs.backends.kaggle.backend import Times
from jobs.context import Context
from jobs.orders import Place
from tests.fakes.driving import SHORT, Session, Timeline, ask, create, ledger_of, never, outcome
from tests.fakes.kaggle import Kaggle
from tests.fakes.killing import WatchedStore
from tests.fakes.toy import ToyTrainer
from tests.kaggle import world
from tests.kaggle.test_script import parts
from tests.kaggle.world import QUICK, RUN

HOUR = 3600.0
CAP_S = float(facts.SESSION_S.value)
MOST_WASTE = 0.02

# --- in hours -------------------------------------------------------------------------------------

START_S = 90.0  # TensorFlow, the data, the last checkpoint
COMPILE_S = 120.0
STEP_S = 12.0
UPLOAD_S = 6.0
END_S = 5.0  # of Python and TensorFlow, after the report
LONG = override(
    SHORT,
    [
        f"training.steps={int(40 * HOUR / STEP_S)}",
        "checkpoint.every_steps=none",
        "checkpoint.every_s=600",
        "samples.every_steps=1000",
        "evaluation.metric=none",
    ],
)


class SlowStore(WatchedStore):
    """A store to which a state takes its time."""

    def __init__(self, store: ObjectStore, timeline: Timeline) -> None:
        super().__init__(store)
        self._timeline = timeline

    def put(self, key: str, data: bytes) -> None:
        if key.endswith("state.safetensors"):
            self._timeline.sleep(UPLOAD_S)
        self.store.put(key, data)


class SlowTrainer(ToyTrainer):
    """Takes as long as a training on a T4 could; its last step is kept by its name."""

    def __init__(self, experiment: Experiment, timeline: Timeline) -> None:
        super().__init__(experiment)
        self._timeline, self._is_compiled = timeline, False

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._timeline.sleep(STEP_S * steps + (0.0 if self._is_compiled else COMPILE_S))
        self._is_compiled = True
        return super().advance(steps)


def session_of_hours(store: ObjectStore, number: int) -> tuple[float, int]:
    """Run one session as Kaggle would; when it ended, by Kaggle's clock, and which step it had reached."""
    upload_s = ledger_of(store).refresh().upload_s
    order = {"run_url": "s3://b/runs/r", "session_s": Times().session_s, "margin_s": Times().margin_s, "packs_s": 0.0}
    grace_s = max(orders.SHORTEST_GRACE_S, 10.0 * upload_s)
    scope = parts(script.render({**order, "grace_s": grace_s}, None))
    timeline = Timeline()
    trainers: list[SlowTrainer] = []

    def build(experiment: Experiment) -> SlowTrainer:
        timeline.sleep(START_S)
        trainers.append(SlowTrainer(experiment, timeline))
        return trainers[-1]

    session = Session(
        store=SlowStore(store, timeline),
        holder=f"session-{number}",
        number=number,
        build=build,
        timeline=timeline,
        repeat=never,
        budget_s=scope["time_left_s"](20.0),
    )
    code = session.run()
    assert code in {SessionExit.INTERRUPTED, SessionExit.FINISHED}, session.said
    return 20.0 + timeline.now + END_S, trainers[-1].step


def test_forty_hours_on_sessions_of_twelve_waste_little_and_lose_no_step() -> None:
    store, ends = MemoryStore(), []
    create(store, LONG)
    while not (fold := ledger_of(store).refresh()).finished:
        ended_s, step = session_of_hours(store, ask(store, backend="kaggle"))
        ends.append(ended_s)
        assert ledger_of(store).refresh().reached == step > fold.reached, "steps were lost at a planned stop"
        assert ended_s < CAP_S, "cut off"
    waste = [1.0 - ended_s / CAP_S for ended_s in ends[:-1]]
    assert max(waste) <= MOST_WASTE, waste
    assert len(ends) == 4
    assert sum(ends) > 40 * HOUR

    alone = MemoryStore()
    create(alone, LONG)
    assert Session(store=alone, holder="untouched", number=ask(alone)).run() is SessionExit.FINISHED
    assert outcome(store) == outcome(alone)


# --- in seconds -----------------------------------------------------------------------------------

LIMIT_S, SESSIONS = 20.0, 2
MOST_SESSIONS = 7
GRACE_S, LATER_S, MARGIN_S = 3.0, 3.0, 6.0  # what takes a minute, ten seconds and five minutes on real sessions
UNUSED_S = 6.0  # and what a session keeps for its last checkpoint
REAL = (*QUICK, "training.batch_size=16", "checkpoint.every_s=2")


@pytest.fixture
def context(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, boring_environment: Path) -> Iterator[Context]:
    """Everything around a session that takes its time is as much shorter as the sessions are."""
    whole = script._template()
    quick = whole.replace("LATER_S = 10.0", f"LATER_S = {LATER_S}")
    assert quick != whole
    monkeypatch.setattr(script, "_template", lambda: quick)
    monkeypatch.setattr(orders, "SHORTEST_GRACE_S", GRACE_S)
    with world.bucket(monkeypatch) as store:
        yield world.signed_in(kaggle, store, boring_environment, monkeypatch)


def untouched(home: Path, steps: int) -> str:
    """The last state of a run of so many steps on this machine."""
    home.mkdir()
    context = contexts.real(
        settings.load(environment={"FACEGAN_HOME": str(home), "FACEGAN_STORE": f"file://{home}/store"})
    )
    begin(context, steps)
    command = [sys.executable, "-m", "facegan", "run", f"{context.store.url}/runs/{RUN}"]
    subprocess.run(command, env={**os.environ, "FACEGAN_HOME": str(home)}, check=True, capture_output=True)
    return world.newest_state(context)


def begin(context: Context, steps: int) -> Ledger:
    return launch.create(
        context, RUN, recipe.resolve("dcgan-mnist", [*REAL, f"training.steps={steps}"], device="cpu", cores=1)
    )


def unused_s(kaggle: Kaggle, context: Context, where: Place, limit_s: float) -> float | None:
    """Have one more session; seconds of its limit that nobody used, or `None` if it did not come to a planned stop."""
    ledger = context.ledger(RUN)
    before = ledger.refresh()
    (world.resume if before.newest else world.submit)(context, where)
    session = kaggle.over(world.name(context, before.newest + 1), seconds=limit_s + 300)
    assert session.ran is not None
    left_s = limit_s * (1.0 - (session.ran[1] - session.ran[0]) / CAP_S)
    is_planned = session.status == "COMPLETE" and ledger.refresh().reached > before.reached
    return left_s if is_planned and left_s < MARGIN_S + UNUSED_S else None


def test_sessions_that_end_by_their_limit_lose_no_step_and_little_time(
    kaggle: Kaggle, context: Context, tmp_path: Path
) -> None:
    """Real sessions of a run that none of them can end. A limit that this machine is too slow for is doubled."""
    ledger = begin(context, 1_000_000)
    left, limit_s = list[float](), LIMIT_S
    while len(left) < SESSIONS:
        assert ledger.refresh().newest < MOST_SESSIONS, "it does not get on, or much of each session is not used"
        kaggle.cap(seconds=limit_s)
        left_s = unused_s(kaggle, context, world.place(context, session_s=limit_s, margin_s=MARGIN_S), limit_s)
        left += [] if left_s is None else [left_s]
        limit_s *= 2 if left_s is None else 1
    went_on = {entry["session"]: entry["step"] for entry in world.said(context, "restored")}
    reports = {entry["session"]: entry["step"] for entry in world.said(context, "report")}
    pairs = [(step, went_on[number + 1]) for number, step in reports.items() if number + 1 in went_on]
    assert pairs
    assert all(before == after for before, after in pairs), "steps were lost at a planned stop"
    assert not verify(context.ledger(RUN)).wrong
    assert world.newest_state(context) == untouched(tmp_path / "home", ledger.refresh().reached)
    print(f"limit {limit_s:.1f} s; left of each session, in s: {[round(each, 1) for each in left]}")
