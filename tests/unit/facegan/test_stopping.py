"""Why a session stops: the first cause holds, and a lost lease outranks them all."""

from __future__ import annotations

import itertools

from facegan.stopping import LOST_LEASE, StopCause, StopSignal, failed, interrupted

SIGNAL = StopCause(outcome="interrupted", why="received SIGTERM", grace_s=25.0)


def test_the_first_cause_given_holds() -> None:
    causes = [SIGNAL, interrupted("stopped by the user"), interrupted("the time is used")]
    for order in itertools.permutations(causes):
        stop = StopSignal()
        for cause in order:
            stop.give(cause)
        assert stop.cause is order[0]


def test_a_state_not_to_be_trusted_outranks_a_wish_to_stop() -> None:
    broken = failed("loss is nan")
    for order in itertools.permutations([SIGNAL, interrupted("stopped by the user"), broken]):
        stop = StopSignal()
        for cause in order:
            stop.give(cause)
        assert stop.cause is broken


def test_a_lost_lease_outranks_every_other_cause() -> None:
    for other in (SIGNAL, interrupted("stopped by the user"), failed("loss is nan")):
        for order in itertools.permutations([other, LOST_LEASE]):
            stop = StopSignal()
            for cause in order:
                stop.give(cause)
            assert stop.cause is LOST_LEASE


def test_what_failed_is_not_committed_and_what_lost_its_lease_is_silent() -> None:
    assert (interrupted("x").commit, interrupted("x").report) == (True, True)
    assert (failed("x").commit, failed("x").report, failed("x").outcome) == (False, True, "failed")
    assert (LOST_LEASE.commit, LOST_LEASE.report) == (False, False)
