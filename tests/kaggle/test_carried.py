"""A Kaggle account and nothing else: sessions on copies of a run whose store is a folder at home."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.ledger import State
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, losing, orders, recipe, settings, word
from jobs.context import Context
from jobs.orders import Place
from jobs.run import view
from tests.cloud import servers
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.world import QUICK, RUN
from tests.waiting import until

SHORT = (*QUICK, "training.batch_size=8", "checkpoint.every_steps=4")
ONE, TWO, THREE = 8, 14, 20  # steps: at Kaggle, at home, at Kaggle


@pytest.fixture
def context(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, boring_environment: Path) -> Context:
    servers.require("tensorflow")
    kaggle.account.phone_verified = False  # so there is no internet either
    kaggle.set(queue_s=5.0, dataset_hidden_s=2.0, dataset_processing_s=4.0)
    return world.signed_in(kaggle, f"file://{boring_environment}/store", boring_environment, monkeypatch)


def place(context: Context) -> Place:
    return dataclasses.replace(world.place(context), carried=True)


def begin(context: Context, steps: int) -> None:
    chosen = recipe.resolve("dcgan-mnist", [*SHORT, f"training.steps={steps}"], device="cpu", cores=1)
    launch.create(context, RUN, chosen)


def at_home(context: Context) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "facegan", "run", f"{context.store.url}/runs/{RUN}"]
    environment = {**os.environ, "FACEGAN_HOME": str(context.settings.home)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def untouched(home: Path) -> tuple[Context, subprocess.Popen[bytes]]:
    """The same run on this machine, all at once, while the other goes there and back."""
    home.mkdir()
    context = contexts.real(
        settings.load(environment={"FACEGAN_HOME": str(home), "FACEGAN_STORE": f"file://{home}/store"})
    )
    begin(context, THREE)
    return context, at_home(context)


def back(context: Context, kaggle: Kaggle, number: int) -> None:
    """The session's end, and what `wait`, `attach` and `resume` then do."""
    printed = world.end(context, number, kaggle)
    assert not launch.bury(context, context.ledger(RUN)).open, printed


def metrics(context: Context) -> list[str]:
    """Every line of them, but when it was made."""
    lines = "".join(
        context.store.get(f"{entry['key']}metrics.jsonl").decode() for entry in world.said(context, "checkpoint")
    ).splitlines()
    return [json.dumps({**json.loads(line), "at": 0}) for line in lines]


def test_there_at_home_and_there_again_is_an_untouched_run(kaggle: Kaggle, context: Context, tmp_path: Path) -> None:
    other, alone = untouched(tmp_path / "home")
    begin(context, ONE)
    ledger = context.ledger(RUN)
    kaggle.set(queue_s=1e6)  # it is away until it was seen that nothing is done here meanwhile
    launch.submit(context, ledger, place(context), print)
    require_frozen(context)
    kaggle.clock.skip(hours=300)
    back(context, kaggle, 1)
    assert world.fold(context).reached == ONE
    assert not verify(context.ledger(RUN)).wrong

    launch.resume(context, ledger, orders.place(context, "local", None), TWO, print)
    until(lambda: not launch.bury(context, ledger).open)
    assert world.fold(context).reached == TWO

    kaggle.set(queue_s=5.0)
    launch.resume(context, ledger, place(context), THREE, print)
    back(context, kaggle, 3)
    assert world.fold(context).state is State.FINISHED
    assert not verify(context.ledger(RUN)).wrong
    assert alone.wait(600) == 0
    assert world.newest_state(context) == world.newest_state(other)
    assert metrics(context) == metrics(other)
    require_little_was_said(kaggle, context)


def require_frozen(context: Context) -> None:
    """While it is away, words that it could not hear are refused, and nobody else begins."""
    ledger = context.ledger(RUN)
    head = ledger.refresh(), ledger.head
    assert "is on kaggle with a copy of the run" in view(ledger, 0.0).why
    with pytest.raises(BadInputError, match="with a copy of the run"):
        word.stop(context, ledger)
    with pytest.raises(BadInputError, match="with a copy of the run"):
        launch.resume(context, ledger, place(context), THREE, print)
    with pytest.raises(BadInputError, match="session of") as refused:
        word.cancel(context, ledger)
    assert "--delete" in str(refused.value.hint)
    launch.resume(context, ledger, orders.place(context, "local", None), None, print)
    assert at_home(context).wait(600) == 73
    assert (ledger.refresh(), ledger.head) == head


def require_little_was_said(kaggle: Kaggle, context: Context) -> None:
    """One kernel for a number, two files of output, no folder of the user's in what stays there."""
    assert [len(kernel.versions) for kernel in kaggle.kernels.all()] == [1, 1]
    for kernel in kaggle.kernels.all():
        (session,) = kernel.sessions()
        assert sorted(session.outputs()) == ["left.bin", "left.json"]
        assert str(context.settings.home) not in kernel.versions[0].request["text"]


def test_one_that_is_cut_off_is_lost_and_the_next_goes_on_from_what_is_at_home(
    kaggle: Kaggle, context: Context
) -> None:
    begin(context, ONE)
    ledger, where = context.ledger(RUN), place(context)
    kaggle.set(session_s=1.0)
    launch.submit(context, ledger, where, print)
    assert kaggle.over(world.name(context, 1)).why == "cut off"
    session = launch.bury(context, ledger).carried
    assert session is not None, "it may be listed in a minute"
    why = launch.fate(context, session).why
    until(lambda: not losing.bring_home(ledger, where.backend, session, why).open)
    (lost,) = world.said(context, "lost")
    assert "its session is over at Kaggle" in lost["why"]
    assert world.fold(context).state is State.INTERRUPTED
    assert not verify(context.ledger(RUN)).wrong


def test_cancelled_with_its_kernel_the_run_has_what_is_at_home(kaggle: Kaggle, context: Context) -> None:
    kaggle.set(queue_s=1e6)
    begin(context, ONE)
    ledger = context.ledger(RUN)
    launch.submit(context, ledger, place(context), print)
    assert word.cancel(context, ledger, delete=True).state is State.CANCELLED
    assert not list(kaggle.kernels.all())


@pytest.mark.usefixtures("kaggle")
def test_kaggle_takes_a_store_at_home(context: Context) -> None:
    where = orders.place(context, "kaggle", None)
    assert where.carried
    assert not orders.place(context, "local", None).carried
    shown = where.backend.command(orders.order(context, RUN, orders.first(where)))
    assert shown["dataset"]["files"] == ["handed.json", "luggage.bin", "luggage.json"]


def test_a_kernel_that_is_not_there_yet_is_pushed_once_more(kaggle: Kaggle, context: Context) -> None:
    """The command was killed between the intent and the push."""
    begin(context, ONE)
    ledger, where = context.ledger(RUN), place(context)
    asked = orders.following(ledger, where, 1)
    launch._intend(ledger, where, by_user=False)
    assert ledger.refresh().open[0].ref == asked.ref
    kaggle.set(queue_s=1e6)
    launch.submit(context, ledger, where, print)
    launch.submit(context, ledger, where, print)
    assert [len(kernel.versions) for kernel in kaggle.kernels.all()] == [1]
    assert [entry.kind for entry in ledger.entries()] == ["created", "intent"]
