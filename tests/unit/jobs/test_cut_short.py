"""A ledger that lacks what a session has seen is not written to: an entry in the gap would make the loss final."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facegan import layout
from facegan.errors import DamagedError
from facegan.ledger import Fold, Ledger
from facegan.storage.base import ObjectStore
from jobs import backends, launch, orders, word
from jobs.context import Context
from tests.fakes.driving import RUN, Session, TimedToy, Timeline, begun, contents
from tests.fakes.killing import Killed
from tests.unit.jobs.world import context

Word = Callable[[Context, Ledger], Fold]


class Mortal(TimedToy):
    def advance(self, steps: int):  # noqa: ANN201 - as the toy's
        if self.step >= 17:
            raise Killed
        return super().advance(steps)


def cut_short() -> ObjectStore:
    """A killed run whose newest entries, which its heartbeat has seen, are gone."""
    store = begun("memory", Path())
    timeline = Timeline()
    session = Session(store=store, holder="first", number=1, timeline=timeline, repeat=timeline.repeat)
    session.build = lambda experiment: Mortal(experiment, timeline)
    with pytest.raises(Killed):
        session.run()
    for key in list(store.list(layout.ledger(RUN)))[-4:]:
        store.delete(key)
    return store


def submit_again(here: Context, ledger: Ledger) -> Fold:
    where = orders.Place(backend=backends.open_backend("local", here.settings), gpu=None)
    return launch.submit(here, ledger, where, print)


@pytest.mark.parametrize("say", [word.stop, word.cancel, submit_again])
def test_the_user_s_word_is_not_appended_to_it(say: Word, tmp_path: Path) -> None:
    store = cut_short()
    before = contents(store)
    here = context(tmp_path, store=store)
    with pytest.raises(DamagedError, match=r"is not the one a session has seen|missing"):
        say(here, here.ledger(RUN))
    assert contents(store) == before
