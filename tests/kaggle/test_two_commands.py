"""Two commands on one run that is carried to Kaggle: what one uploads for, the other does not call lost."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.process import Life
from jobs import launch, losing, orders, recipe, word
from jobs.backends.kaggle import backend
from jobs.backends.kaggle.backend import Times, World
from jobs.backends.kaggle.parcel import Parcels
from jobs.context import Context
from jobs.errors import JobError
from jobs.orders import Place
from jobs.refusals import Refusal
from tests.fakes.kaggle import Kaggle
from tests.fakes.kaggle.sessions import Session
from tests.kaggle import world
from tests.kaggle.looking import left
from tests.kaggle.submitting import soon
from tests.kaggle.world import QUICK, RUN

MISSING_S = 0.05


@pytest.fixture
def context(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, boring_environment: Path) -> Context:
    """A store at home, and sessions that wait for their machines for ever."""

    def wait(session: Session) -> None:
        session._thread = threading.Thread(target=str)
        session._thread.start()

    monkeypatch.setattr(Session, "start", wait)
    monkeypatch.setattr(backend, "World", functools.partial(World, sleep=soon, times=Times(missing_s=MISSING_S)))
    kaggle.set(dataset_hidden_s=0.0, dataset_processing_s=0.0)
    context = world.signed_in(kaggle, f"file://{boring_environment}/store", boring_environment, monkeypatch)
    launch.create(context, RUN, recipe.resolve("dcgan-mnist", [*QUICK, "training.steps=8"], device="cpu", cores=1))
    return context


def place(context: Context) -> Place:
    return dataclasses.replace(world.place(context), carried=True)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do that while a command waits for what it has uploaded."""
    wait = Parcels.wait

    def busy(parcels: Parcels, name: str, for_s: float) -> None:
        act()
        wait(parcels, name, for_s)

    monkeypatch.setattr(Parcels, "wait", busy)


def look(context: Context) -> None:
    """What `wait`, `logs -f` and `watch` do, for longer than it takes to believe that something is missing."""
    for _ in range(5):
        launch.bury(context, context.ledger(RUN))
        time.sleep(2 * MISSING_S)


def pushed(kaggle: Kaggle) -> list[int]:
    return [len(kernel.versions) for kernel in kaggle.kernels.all()]


def kinds(context: Context) -> list[str]:
    ledger = context.ledger(RUN)
    ledger.refresh()
    return [entry.kind for entry in ledger.entries()]


def test_while_one_uploads_the_other_concludes_nothing(
    kaggle: Kaggle, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: look(context))
    launch.submit(context, context.ledger(RUN), place(context), print)
    (session,) = launch.bury(context, context.ledger(RUN)).open
    assert launch.fate(context, session).life is Life.ALIVE
    assert pushed(kaggle) == [1]
    assert kinds(context) == ["created", "intent"]


@pytest.mark.parametrize("delete", [False, True])
def test_while_one_uploads_the_other_cannot_cancel(
    kaggle: Kaggle, context: Context, monkeypatch: pytest.MonkeyPatch, *, delete: bool
) -> None:
    monkeypatch.setattr(word, "ENDED_S", 0.2)

    def cancel() -> None:
        with pytest.raises(JobError, match="not all there yet"):
            word.cancel(context, context.ledger(RUN), delete=delete)

    meanwhile(monkeypatch, cancel)
    launch.submit(context, context.ledger(RUN), place(context), print)
    assert pushed(kaggle) == [1]
    assert kinds(context) == ["created", "intent"]


def test_killed_before_its_push_it_is_pushed_when_it_was_missed_too(kaggle: Kaggle, context: Context) -> None:
    ledger, where = context.ledger(RUN), place(context)
    ledger.refresh()
    launch._intend(ledger, where, by_user=False)
    launch.bury(context, context.ledger(RUN))
    time.sleep(2 * MISSING_S)
    launch.resume(context, context.ledger(RUN), where, None, print)
    assert pushed(kaggle) == [1]
    assert kinds(context) == ["created", "intent"]


def test_killed_before_its_push_it_is_lost_to_who_only_waits(kaggle: Kaggle, context: Context) -> None:
    ledger, where = context.ledger(RUN), place(context)
    ledger.refresh()
    launch._intend(ledger, where, by_user=False)
    look(context)
    assert kinds(context) == ["created", "intent", "lost"]
    launch.resume(context, context.ledger(RUN), where, None, print)
    assert pushed(kaggle) == [1]
    assert [session.number for session in world.fold(context).open] == [2]


def test_one_whose_number_has_ended_meanwhile_is_not_pushed(
    kaggle: Kaggle, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose() -> None:
        ledger = context.ledger(RUN)
        losing.append_lost(ledger, ledger.refresh().open[0], "somebody elsewhere says so")

    meanwhile(monkeypatch, lose)
    with pytest.raises(Refusal, match="has ended before it was sent"):
        launch.submit(context, context.ledger(RUN), place(context), print)
    assert not pushed(kaggle)
    assert not left(kaggle)
    assert kinds(context) == ["created", "intent", "lost"]


@pytest.mark.usefixtures("kaggle")
def test_what_could_not_come_back_is_refused_before_it_is_asked_for(context: Context) -> None:
    """202,599 faces of 64 pixels are 2.3 GiB; of 32 pixels they are not."""
    where = place(context)
    there = where.backend.capabilities().data_there
    chosen = recipe.resolve("dcgan-radford", QUICK, device="cpu", cores=1, there=there)
    ledger = launch.create(context, "large", chosen)
    with pytest.raises(BadInputError, match=r"2\.3 GiB of images") as caught:
        launch.submit(context, ledger, where, print)
    assert "docs/storage.md" in str(caught.value.hint)
    assert not ledger.refresh().open
    smaller = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, size=32))
    asked = orders.order(context, "large", orders.first(where))
    assert orders.suited(context, where, asked, smaller).prepares == "celeba"
    assert orders.suited(context, where, dataclasses.replace(asked, carried=False), chosen).prepares == "celeba"
