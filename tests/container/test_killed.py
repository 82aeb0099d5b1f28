"""A session's container is killed in the middle, and the run ends like one that nobody touched."""

from __future__ import annotations

from facegan.ledger import State
from tests.container.moments import Moment
from tests.container.runs import DONE, Docked
from tests.e2e.outcome import Outcome


def test_killed_in_the_middle_it_ends_like_the_untouched(user: Docked, untouched: Outcome) -> None:
    user.proxy.plan = Moment(kind="state", count=3, act=lambda: user.container().kill("SIGKILL"))
    user.submit()
    assert user.ended() == "session 1: its container was killed; checkpoint 16 is committed"
    assert user.fold().state is State.INTERRUPTED
    assert (user.containers(), user.volumes()) == ([], []), "what has ended leaves nothing behind"
    assert user.resume() == DONE
    assert user.outcome() == untouched
    assert user.is_whole()
    assert not [entry for entry in user.entries() if "over" in entry], "it waited for the dead one's lease"
