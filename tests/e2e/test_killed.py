"""SIGKILL at every kind of store operation, then resume: the same bytes, curves and pictures as untouched."""

from __future__ import annotations

import signal

import pytest

from tests.e2e import children
from tests.e2e.children import Moment
from tests.e2e.outcome import Outcome, entries
from tests.e2e.runs import RUN, User
from tests.fakes.killing import Death

BEFORE, TORN, AFTER = Death.BEFORE, Death.TORN, Death.AFTER

MOMENTS = [
    Moment(kind="ledger", count=1, when=BEFORE),  # the lease
    Moment(kind="ledger", count=2, when=AFTER),  # `restored`
    Moment(kind="ledger", count=4, when=BEFORE),  # the second checkpoint's entry
    Moment(kind="ledger", count=4, when=AFTER),
    Moment(kind="state", count=2, when=TORN),
    Moment(kind="metrics", count=2, when=AFTER),
    Moment(kind="sample", count=1, when=BEFORE),
    Moment(kind="heartbeat", count=3, when=TORN),
    Moment(kind="output", count=2, when=AFTER),
    Moment(kind="list", count=12, when=BEFORE),
    Moment(kind="get", count=2, when=AFTER),
    Moment(kind="delete", count=1, when=AFTER),
]
MANY = [
    Moment(kind=kind, count=count, when=when)
    for kind, counts in {
        "ledger": (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12),
        "state": (1, 3, 6),
        "metrics": (1, 6),
        "sample": (2, 3),
        "heartbeat": (1, 2, 8),
        "output": (1, 3),
        "list": (1, 2, 5, 20),
        "get": (1, 3),
        "delete": (1, 4),
    }.items()
    for count in counts
    for when in Death
]


def require_that_a_kill_changes_nothing(moment: Moment, user: User, untouched: Outcome) -> None:
    user.create()
    assert user.session(user.ask(), moment) == -signal.SIGKILL, "the moment never came"
    assert user.resume() == 0
    assert user.outcome() == untouched
    assert user.is_whole()
    taken_over = [entry for entry in entries(user.home, RUN) if "over" in entry]
    assert not taken_over, "it waited for the dead one's lease"


def test_every_kind_of_operation_is_among_the_moments() -> None:
    kinds = {moment.kind for moment in MOMENTS}
    assert kinds == {"ledger", "state", "metrics", "sample", "heartbeat", "output", "list", "get", "delete"}
    assert {moment.when for moment in MOMENTS} == set(Death)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_killed_and_resumed_it_ends_like_the_untouched(moment: Moment, user: User, untouched: Outcome) -> None:
    require_that_a_kill_changes_nothing(moment, user, untouched)


@pytest.mark.long
@pytest.mark.parametrize("moment", MANY, ids=str)
def test_killed_at_many_more_moments(moment: Moment, user: User, untouched: Outcome) -> None:
    require_that_a_kill_changes_nothing(moment, user, untouched)


def test_killed_again_and_again_it_ends_like_the_untouched(user: User, untouched: Outcome) -> None:
    user.create()
    for moment in (
        Moment(kind="state", count=3),
        Moment(kind="ledger", count=3, when=AFTER),
        Moment(kind="list", count=6),
    ):
        user.bury()
        assert user.session(user.ask(), moment) == -signal.SIGKILL
    assert user.resume() == 0
    assert user.outcome() == untouched
    assert user.is_whole()
    assert user.fold().newest == 4


def test_killed_while_the_share_of_sure_digits_is_measured(user: User) -> None:
    """The classifier that judges is part of the state: a resumed session does not train it again."""
    other = User(home=user.home / "other")
    for each in (user, other):
        each.create("evaluation.metric=digits-sure")
    left_alone = children.start(other.home, other.url)
    assert user.session(user.ask(), Moment(kind="state", count=4)) == -signal.SIGKILL
    assert user.resume() == 0
    assert children.end_of(left_alone) == 0
    assert user.outcome() == other.outcome()
    judged = [step for step, values in user.outcome().metrics.items() if "digits-sure" in values]
    assert judged == [24, 48]
