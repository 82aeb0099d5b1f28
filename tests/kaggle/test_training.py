"""A run in a real session of the stand-in: it says which session it is, and its user stops it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.ledger import State
from facegan.verify import verify
from jobs import launch, recipe, word
from jobs.context import Context
from tests.fakes.kaggle import Kaggle
from tests.kaggle import world
from tests.kaggle.world import QUICK, RUN

LONG = (*QUICK, "training.steps=1000000", "training.batch_size=8", "checkpoint.every_steps=1000000")


@pytest.fixture
def context(kaggle: Kaggle, monkeypatch: pytest.MonkeyPatch, boring_environment: Path) -> Iterator[Context]:
    with world.bucket(monkeypatch) as store:
        yield world.signed_in(kaggle, store, boring_environment, monkeypatch)


@pytest.mark.timeout(200)
def test_a_session_says_its_number_at_kaggle_and_stops_when_its_user_wants_it_to(
    kaggle: Kaggle, context: Context
) -> None:
    ledger = launch.create(context, RUN, recipe.resolve("dcgan-mnist", LONG, device="cpu", cores=1))
    launch.submit(context, ledger, world.place(context), lambda _text: None)

    kaggle.until(lambda: world.fold(context).lease is not None, seconds=60)
    (open_session,) = world.fold(context).open
    assert open_session.ref is not None
    assert open_session.ref["session_id"] == kaggle.session(world.name(context, 1)).number

    kaggle.until(lambda: world.said(context, "restored"), seconds=90)
    word.stop(context, ledger)
    world.end(context, 1, kaggle)
    assert world.fold(context).state is State.STOPPED
    assert world.fold(context).reached > 0
    assert not verify(context.ledger(RUN)).wrong
