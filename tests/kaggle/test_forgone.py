"""A Kaggle account is closed while a session is there with a copy of the run: the user's word, and what it ends."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from facegan.errors import BadInputError
from facegan.ledger import State
from jobs import launch, losing, orders, recipe, word
from jobs.context import Context
from jobs.orders import Place
from jobs.refusals import Auth
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.world import QUICK, RUN


@pytest.fixture
def context(service: Kaggle, boring_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    service.set(queue_s=1e6)
    context = world.signed_in(service, f"file://{boring_environment}/store", boring_environment, monkeypatch)
    chosen = recipe.resolve("dcgan-mnist", [*QUICK, "training.steps=8"], device="cpu", cores=1)
    launch.submit(context, launch.create(context, RUN, chosen), place(context), print)
    return context


def place(context: Context) -> Place:
    return dataclasses.replace(world.place(context), carried=True)


def test_of_an_account_that_is_gone_a_session_is_given_up_and_stays_so(
    service: Kaggle, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    ledger, token = context.ledger(RUN), service.account.token
    with pytest.raises(BadInputError, match="alive on kaggle") as refused:
        word.give_up(context, ledger, 1, said.append)
    assert world.name(context, 1) in str(refused.value.hint)

    service.account.token = "another"
    with pytest.raises(Auth):
        place(context)
    here = orders.place(context, "local", None)
    launch.resume(context, ledger, here, None, said.append)
    assert f"facegan-job resume {RUN} --give-up 1" in said[-1]
    assert ledger.fold.carried is not None
    word.give_up(context, ledger, 1, said.append)
    assert [each["why"] for each in world.said(context, "lost")] == [losing.FORGONE]

    service.account.token = token
    before = ledger.refresh(), ledger.head
    assert launch.bury(context, ledger).state is State.INTERRUPTED
    assert (ledger.refresh(), ledger.head) == before
    monkeypatch.setattr(here.backend, "submit", lambda *_: {"pid": 0}, raising=False)
    launch.resume(context, ledger, here, None, print)
    assert [session.number for session in ledger.refresh().open] == [2]
