"""The one decision of supervision, over whatever it may be told."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.ledger import Fold
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs.supervision.actions import Ask, Begin, Bury, GiveUp, Leave, Wait
from jobs.supervision.decision import FIRST_WAIT_S, LEAST_S, LONGEST_WAIT_S, MISSING_S, decide
from jobs.supervision.past import Ended
from jobs.supervision.seen import Offer, Policy, Seen, Sighting

NOW = 1.7e9
NAMES = ("local", "docker", "kaggle")
POLICY = Policy(backends=NAMES)
RUN = Fold(run="a-run", experiment="dcgan-mnist", steps=100, reached=40, newest=3)
ALL_WELL = tuple(Offer(backend=name) for name in NAMES)


def ended(number: int = 3, **said: object) -> Ended:
    usual = {"backend": "local", "host": None, "outcome": "lost", "why": "it was killed", "began": 0, "step": 40}
    usual |= {"at": NOW - 1.0, "leased": True, "restored": True}
    return Ended(number=number, **(usual | said))  # type: ignore[arg-type]


def beside(session: OpenSession, sighting: Sighting) -> Seen:
    return Seen(fold=dataclasses.replace(RUN, open=(session,)), sightings=(sighting,), offers=ALL_WELL)


asked = st.builds(
    OpenSession,
    number=st.just(0),
    backend=st.sampled_from((*NAMES, "hand")),
    ref=st.none() | st.just({}),
    by=st.none() | st.just("h"),
)
looks = st.builds(
    Sighting,
    number=st.just(0),
    life=st.sampled_from(Life),
    missing_s=st.none() | st.sampled_from([0.0, 1.0, MISSING_S - 1.0, MISSING_S, 1e6]),
)
outcomes = st.sampled_from(["interrupted", "failed", "lost", "refused"])
pasts = st.lists(
    st.builds(
        Ended,
        number=st.just(0),
        backend=st.sampled_from(NAMES),
        host=st.none(),
        outcome=outcomes,
        why=st.just("because"),
        began=st.sampled_from([0, 20, 40]),
        step=st.sampled_from([20, 40]),
        at=st.floats(NOW - 1e5, NOW + 1e5),
        leased=st.booleans(),
        restored=st.booleans(),
        carried=st.booleans(),
        excused=st.booleans(),
        refusal=st.sampled_from([None, "quota", "capacity", "auth", "invalid"]),
        until=st.none() | st.floats(NOW - 1e5, NOW + 1e6),
    ),
    max_size=10,
).map(lambda past: [dataclasses.replace(each, number=99 - at) for at, each in enumerate(past)])
offers = st.tuples(
    *(
        st.builds(
            Offer,
            backend=st.just(name),
            unfit=st.sampled_from(["", "", "no such GPU"]),
            passing=st.booleans(),
            left_s=st.none() | st.floats(0, 1e5) | st.sampled_from([400.0, 700.0]),
            resets_at=st.none() | st.floats(NOW - 1e5, NOW + 1e6),
            start_s=st.sampled_from([0.0, 420.0]),
        )
        for name in NAMES
    )
)


@given(st.lists(st.tuples(asked, looks), min_size=1, max_size=3), st.booleans(), st.booleans())
def test_beside_a_session_that_may_live_nothing_is_started(
    pairs: list[tuple[OpenSession, Sighting]], stop: bool, cancel: bool
) -> None:
    sessions = tuple(dataclasses.replace(each, number=number) for number, (each, _) in enumerate(pairs, 1))
    sightings = tuple(dataclasses.replace(each, number=number) for number, (_, each) in enumerate(pairs, 1))
    fold = dataclasses.replace(RUN, open=sessions, stop=stop, cancel=cancel)
    action = decide(Seen(fold=fold, sightings=sightings, offers=ALL_WELL), NOW, POLICY)
    assert not isinstance(action, Ask), "a number has not ended"
    if isinstance(action, Bury):
        session, sighting = sessions[action.number - 1], sightings[action.number - 1]
        unknown = session.by is None and sighting.life is Life.UNKNOWN and (sighting.missing_s or 0.0) >= MISSING_S
        assert sighting.life is Life.GONE or unknown, "it is buried without evidence"
    if isinstance(action, Begin):
        assert not stop
        assert not cancel
        session = sessions[action.number - 1]
        assert (session.by, session.ref) == (None, None)
        others = zip(sessions, sightings, strict=True)
        assert all(other.by is None and seen.life is not Life.ALIVE for other, seen in others)


@given(pasts, offers)
def test_no_quota_that_is_known_to_be_gone_is_asked(past: list[Ended], could: tuple[Offer, ...]) -> None:
    action = decide(Seen(fold=RUN, past=past, offers=could), NOW, POLICY)
    if isinstance(action, Ask):
        (offer,) = (each for each in could if each.backend == action.backend)
        assert not offer.unfit
        assert offer.left_s is None or offer.left_s >= offer.start_s + LEAST_S
        newest = next((each for each in past if each.backend == action.backend), None)
        assert newest is None or newest.until is None or newest.until <= NOW
        assert action.number == RUN.newest + 1


@given(pasts, offers)
def test_whoever_waits_goes_on_when_the_time_has_come(past: list[Ended], could: tuple[Offer, ...]) -> None:
    action = decide(Seen(fold=RUN, past=past, offers=could), NOW, POLICY)
    assert not isinstance(action, (Leave, Bury, Begin))
    mended = [dataclasses.replace(each, unfit="" if each.passing else each.unfit, left_s=None) for each in could]
    now, waited = NOW, 0
    while isinstance(action, Wait):  # one that is fit again by then may have a time of its own
        assert action.until > now
        now, waited = action.until, waited + 1
        action = decide(Seen(fold=RUN, past=past, offers=mended), now, POLICY)
        assert isinstance(action, Ask) or (isinstance(action, Wait) and waited <= len(could))


@given(pasts, offers)
def test_the_same_is_decided_on_the_same(past: list[Ended], could: tuple[Offer, ...]) -> None:
    seen = Seen(fold=RUN, past=past, offers=could)
    assert decide(seen, NOW, POLICY) == decide(seen, NOW, POLICY)


def test_after_a_session_that_used_its_time_the_first_backend_is_asked_at_once() -> None:
    past = [ended(outcome="interrupted", backend="docker", why="the session's 9 h are used")]
    action = decide(Seen(fold=RUN, past=past, offers=ALL_WELL), NOW, POLICY)
    assert action == Ask(number=4, backend="local", why="session 4 is asked of local")


def test_the_wait_doubles_between_half_and_three_halves_to_an_hour() -> None:
    only = Policy(backends=("local",), patience=99)
    for count in range(1, 12):
        past = [ended(9 - at, outcome="refused", refusal="capacity", at=NOW, step=40, began=40) for at in range(count)]
        action = decide(
            Seen(fold=RUN, past=[dataclasses.replace(each, leased=False) for each in past], offers=ALL_WELL[:1]),
            NOW,
            only,
        )
        assert isinstance(action, Wait)
        whole_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (count - 1))
        assert 0.5 * whole_s <= action.until - NOW <= 1.5 * whole_s


def test_two_runs_do_not_wait_the_same() -> None:
    waits = set()
    for name in "abcdefgh":
        fold = dataclasses.replace(RUN, run=name)
        action = decide(Seen(fold=fold, past=[ended(at=NOW)], offers=ALL_WELL[:1]), NOW, POLICY)
        assert isinstance(action, Wait)
        waits.add(action.until)
    assert len(waits) == 8


def test_a_clock_that_is_ahead_makes_nobody_wait() -> None:
    action = decide(Seen(fold=RUN, past=[ended(at=NOW + 1e8)], offers=ALL_WELL[:1]), NOW, POLICY)
    assert isinstance(action, Ask)


@pytest.mark.parametrize("kind", ["auth", "invalid"])
def test_what_a_place_says_twice_for_good_ends_it_there(kind: str) -> None:
    past = [ended(9 - at, outcome="refused", refusal=kind, why="no", leased=False, began=40) for at in range(2)]
    action = decide(Seen(fold=RUN, past=past, offers=ALL_WELL[:1]), NOW + 1e6, POLICY)
    assert action == GiveUp(why="no backend is left. local: no")
    assert isinstance(decide(Seen(fold=RUN, past=past[:1], offers=ALL_WELL[:1]), NOW + 1e6, POLICY), Ask)


def test_sessions_that_are_lost_with_their_copies_are_not_sent_for_ever() -> None:
    """Nobody can tell whether they were leased, and each may have taken its place's whole time."""
    past = [ended(9 - at, leased=False, restored=False, carried=True, began=40) for at in range(2)]
    action = decide(Seen(fold=RUN, past=past, offers=ALL_WELL), NOW, POLICY)
    assert isinstance(action, GiveUp)
    for other in ({"carried": False}, {"outcome": "refused", "refusal": "capacity"}):
        milder = [dataclasses.replace(each, **other) for each in past]  # type: ignore[arg-type]
        assert not isinstance(decide(Seen(fold=RUN, past=milder, offers=ALL_WELL), NOW, POLICY), GiveUp)


def test_machines_that_never_come_to_hold_the_run_are_not_paid_for_for_ever() -> None:
    """An image that cannot be pulled, say: a place made the machine, and nothing of ours ever began."""
    lost = {"leased": False, "restored": False, "began": 40, "why": "the image cannot be pulled"}
    past = [ended(19 - at, **lost) for at in range(6)]
    action = decide(Seen(fold=RUN, past=past, offers=ALL_WELL), NOW, POLICY)
    assert action == GiveUp(
        why="6 sessions in a row were lost before they began, the last of them: the image cannot be pulled"
    )
    refused = ended(12, outcome="refused", refusal="capacity", leased=False, restored=False, began=40)
    with_refusals = [past[0], refused, *past[1:]]
    assert isinstance(decide(Seen(fold=RUN, past=with_refusals, offers=ALL_WELL), NOW, POLICY), GiveUp)
    for one in (dataclasses.replace(past[2], excused=True), ended(17, outcome="interrupted")):
        milder = [*past[:2], one, *past[3:]]
        assert not isinstance(decide(Seen(fold=RUN, past=milder, offers=ALL_WELL), NOW, POLICY), GiveUp)


def test_the_users_limit_of_sessions_holds() -> None:
    action = decide(Seen(fold=RUN, offers=ALL_WELL), NOW, dataclasses.replace(POLICY, sessions=3))
    assert action == GiveUp(why="it has had 3 sessions, and 3 are allowed")


def test_failures_at_two_steps_are_not_failures_at_one() -> None:
    past = [ended(3, outcome="failed", began=20, step=40), ended(2, outcome="failed", began=0, step=20)]
    assert isinstance(decide(Seen(fold=RUN, past=past, offers=ALL_WELL), NOW, POLICY), Ask)
    past[1] = ended(2, outcome="failed", began=0, step=40)
    assert isinstance(decide(Seen(fold=RUN, past=past, offers=ALL_WELL), NOW, POLICY), GiveUp)


def test_every_state_of_one_open_number() -> None:
    """Exhaustively: a session that was leased or not, launched or not, of each life, missing for each time."""
    times = (None, 0.0, 1.0, MISSING_S)
    for by, ref, life, missing_s in itertools.product((None, "h"), (None, {}), Life, times):
        session = OpenSession(number=3, backend="docker", by=by, ref=ref)
        action = decide(beside(session, Sighting(number=3, life=life, missing_s=missing_s)), NOW, POLICY)
        if life is Life.GONE:
            expected: type = Bury
        elif by or life is Life.ALIVE or missing_s is None:
            expected = Leave
        elif missing_s >= MISSING_S:
            expected = Bury
        else:
            expected = Begin if ref is None and missing_s == 0.0 else Wait
        assert isinstance(action, expected), (by, ref, life, missing_s, action)
