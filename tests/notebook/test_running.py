"""Exported notebooks, opened and run in a real Jupyter: they train, are interrupted and killed, and go on."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from facegan.ledger import Fold, Ledger, State, Writer
from facegan.storage import open_store
from facegan.verify import verify
from tests.cloud.proxy import Proxy
from tests.cloud.test_killed_training import CloudUser
from tests.container.moments import Moment
from tests.e2e.outcome import entries
from tests.e2e.runs import RUN
from tests.notebook.conftest import CANARY, Export, on
from tests.notebook.jupyter import Jupyter, jupyter
from tests.waiting import until

STEPS = 96
LONGER = (f"training.steps={STEPS}", "evaluation.every_steps=32", "session.lease_s=36")


def fold(user: CloudUser) -> Fold:
    return ledger(user.store_url).refresh()


@functools.cache
def ledger(store_url: str) -> Ledger:
    """One for all that is asked: a client of S3 takes a tenth of a second to make."""
    writer = Writer(holder="who asks", wall_s=time.time, new_id=str)
    return Ledger(open_store(store_url), RUN, writer)


def test_a_run_is_interrupted_killed_and_opened_twice_and_ends_as_if_nothing_had_happened(
    user: CloudUser, between: Proxy, export: Export, tmp_path: Path
) -> None:
    """However fast they are: no session has a second checkpoint before what befalls it, nor the third one a first."""
    user.create(*LONGER)
    colab, kaggle = export("colab"), export("kaggle")
    here, there = tmp_path / "here", tmp_path / "there"
    variables = on("colab", tmp_path / "secrets.json")

    with jupyter(colab, here, variables) as kernel:
        with held(between, count=2) as go:
            reached = interrupted(kernel, user, go)
        with held(between, count=2):
            kernel.begin(kernel.cells["train"])
            until(lambda: fold(user).reached > reached)
            kernel.kill()
    until(lambda: fold(user).holder is None)  # its last checkpoint is not what the next session is held by

    rival = jupyter(kaggle, there, on("kaggle", tmp_path / "others.json"))
    with jupyter(colab, here, variables) as kernel, rival as other, held(between, count=1) as go:
        other.make_ready()
        kernel.make_ready()
        third = kernel.begin(kernel.cells["train"])
        until(lambda: third.over.is_set() or leased(user, 3), lambda: third.printed)
        assert not third.over.is_set(), third.printed
        assert not exposed()
        refused = other.run("train")
        assert refused.error is not None
        assert refused.error.startswith("exit 73: another session holds the run and is alive")
        assert "session 3 holds the run, and is alive" in refused.printed
        assert "Traceback" not in refused.printed
        go.set()
        assert third.end().error is None, third.printed
        assert "the run has all its steps" in third.printed
        assert CANARY not in third.printed + refused.printed

    assert fold(user).state is State.FINISHED
    through = user.outcome()
    told = entries(user.home, RUN)
    assert [entry["session"] for entry in told if entry["kind"] == "lease"] == [1, 2, 3]
    assert {entry["backend"] for entry in told if entry["kind"] == "intent"} == {"hand"}
    assert not [entry for entry in told if "over" in entry], "it waited for one that had ended"
    assert CANARY not in str(told)
    verdict = verify(user.context.ledger(RUN))
    assert (verdict.wrong, verdict.steps) == ([], STEPS)
    assert through == untouched(user)


@contextlib.contextmanager
def held(between: Proxy, *, count: int) -> Iterator[threading.Event]:
    """From this checkpoint on, counted from here, none gets through before that is set, or the block is left."""
    go = threading.Event()
    between.plan = Moment(kind="state", count=count, act=go.wait)
    try:
        yield go
    finally:
        go.set()


def leased(user: CloudUser, number: int) -> bool:
    now = fold(user)
    return now.newest == number and now.holder is not None


def exposed() -> list[Path]:
    """Where other processes of this machine could read a key."""
    shown = []
    for path in (*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")):
        with contextlib.suppress(OSError):  # it has ended
            shown += [path] if CANARY.encode() in path.read_bytes() else []
    return shown


def interrupted(kernel: Jupyter, user: CloudUser, go: threading.Event) -> int:
    """Train in this kernel for a while, and interrupt it as its person does; the step that was reached."""
    kernel.make_ready()
    first = kernel.begin(kernel.cells["train"])
    until(lambda: first.over.is_set() or fold(user).reached >= 8, lambda: first.printed)
    assert not first.over.is_set(), first.printed
    kernel.interrupt()
    until(lambda: first.over.is_set() or "it makes a last checkpoint" in first.printed, lambda: first.printed)
    go.set()
    assert first.end().error is None, first.printed
    assert "interrupted: it makes a last checkpoint and ends" in first.printed
    assert "Run this cell again" in first.printed
    now = fold(user)
    assert now.state is State.INTERRUPTED
    assert 8 <= now.reached < STEPS
    return now.reached


def untouched(user: CloudUser) -> object:
    """What becomes of the same run where nothing happens."""
    (user.home / "alone").mkdir()
    place, mark, options = user.store_url.partition("?")
    alone = CloudUser(
        home=user.home / "alone", store_url=f"{place}/alone{mark}{options}", variables=dict(user.variables)
    )
    alone.create(*LONGER)
    assert alone.session() == 0
    return alone.outcome()
