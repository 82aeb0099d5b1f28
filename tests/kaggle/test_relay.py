"""Forty hours of training on sessions of twelve: in hours that take no time, and in seconds that are real.

Waste is what is left of a session, between its process' end and Kaggle's limit, as a part of that limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from facegan.errors import SessionExit
from facegan.experiment import Experiment, override
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, orders, recipe, settings
from jobs.backends.kaggle import facts, script
from jobs.backends.kaggle.backend import Times
from jobs.context import Context
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

SESSIONS = 40 / 12
MOST_SESSIONS = 9  # on a machine that has much else to do, one may be over before it has begun
GRACE_S, LATER_S, MARGIN_S = 3.0, 3.0, 6.0  # what takes a minute, ten seconds and five minutes on real sessions
BEGIN_S = 3.0  # by which a session of the stand-in takes longer to begin and to end than a process here
REAL = (*QUICK, "training.steps=500", "training.batch_size=16", "checkpoint.every_s=2")


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


def untouched(home: Path) -> tuple[str, float, float]:
    """A run on this machine: its last state, how long it took to begin and to end, and how long it trained. Seconds."""
    home.mkdir()
    context = contexts.real(
        settings.load(environment={"FACEGAN_HOME": str(home), "FACEGAN_STORE": f"file://{home}/store"})
    )
    launch.create(context, RUN, recipe.resolve("dcgan-mnist", REAL, device="cpu", cores=1))
    command = [sys.executable, "-m", "facegan", "run", f"{context.store.url}/runs/{RUN}"]
    began = time.monotonic()
    subprocess.run(command, env={**os.environ, "FACEGAN_HOME": str(home)}, check=True, capture_output=True)
    took_s = time.monotonic() - began
    lines = "".join(
        context.store.get(f"{entry['key']}metrics.jsonl").decode() for entry in world.said(context, "checkpoint")
    ).splitlines()
    trained_s = (json.loads(lines[-1])["at"] - json.loads(lines[0])["at"]) / 1000
    return world.newest_state(context), took_s - trained_s, trained_s


@pytest.mark.timeout(600)
def test_a_run_of_three_sessions_and_a_third_ends_like_one_that_was_never_touched(
    kaggle: Kaggle, context: Context, tmp_path: Path
) -> None:
    """Real sessions, whose limit is so short that the run needs about as many of them as 40 hours need of 12."""
    state, idle_s, trained_s = untouched(tmp_path / "home")
    cap_s = idle_s + BEGIN_S + MARGIN_S + trained_s / SESSIONS
    kaggle.cap(seconds=cap_s)
    ledger = launch.create(context, RUN, recipe.resolve("dcgan-mnist", REAL, device="cpu", cores=1))
    left: list[float] = []
    while not ledger.refresh().finished:
        assert len(left) < MOST_SESSIONS, "it does not get on"
        number = ledger.refresh().newest + 1
        where = world.place(context, session_s=cap_s, margin_s=MARGIN_S)
        launch.resume(context, ledger, where, None, lambda _text: None) if left else world.submit(context, where)
        printed = world.end(context, number, kaggle, seconds=cap_s + 60)
        session = kaggle.session(world.name(context, number))
        assert session.status == "COMPLETE", printed
        assert session.ran is not None
        left.append(cap_s * (1.0 - (session.ran[1] - session.ran[0]) / CAP_S))
    went_on = [entry["step"] for entry in world.said(context, "restored")]
    reports = [entry["step"] for entry in world.said(context, "report")]
    assert went_on[1:] == reports[:-1], "steps were lost at a planned stop"
    assert world.newest_state(context) == state
    assert len(left) > 1, left
    assert max(left[:-1]) < MARGIN_S + 6.0, "seconds of each session that nobody used"
    assert not verify(context.ledger(RUN)).wrong
    print(f"limit {cap_s:.1f} s; left of each session, in s: {[round(each, 1) for each in left[:-1]]}")
