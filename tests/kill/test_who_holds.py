"""A session obeys the user's word and the lease: who does not hold it writes nothing that counts."""

from __future__ import annotations

import pytest

from facegan import session as wire
from facegan.errors import SessionExit
from facegan.ledger import State
from facegan.storage.base import ObjectStore
from tests.fakes.driving import (
    RUN,
    Session,
    Timeline,
    append,
    ask,
    assert_untouched,
    contents,
    judged,
    kinds,
    ledger_of,
    raw_entries,
    take_over,
)
from tests.fakes.killing import Death, Killed, MortalStore
from tests.kill.eventful import (
    EventfulToy,
    assert_goes_on_to_the_end,
    eventful,
    kinds_of,
    report,
    short_with,
    state,
)

# The user's word


@pytest.mark.parametrize(("word", "then"), [("stop", State.STOPPED), ("cancel", State.CANCELLED)])
def test_the_user_s_word_is_heard_by_the_next_beat(word: str, then: State) -> None:
    store = short_with("session.heartbeat_s=2")
    session = eventful(store, lambda step: append(ledger_of(store), word) and None if step == 7 else None)
    assert session.run() is SessionExit.INTERRUPTED
    assert report(store)["step"] == 8
    assert str(report(store)["why"]).endswith("by the user")
    assert state(store) is then
    assert judged(store).wrong == []


def test_a_stop_holds_until_the_user_resumes() -> None:
    store = short_with("session.heartbeat_s=2")
    eventful(store, lambda step: append(ledger_of(store), "stop") and None if step == 7 else None).run()
    before = kinds(store)
    assert take_over(store, "second") is SessionExit.INTERRUPTED
    assert kinds(store) == before
    assert_goes_on_to_the_end(store)


def test_a_cancelled_run_is_never_taken_up_again() -> None:
    store = short_with("session.heartbeat_s=2")
    eventful(store, lambda step: append(ledger_of(store), "cancel") and None if step == 7 else None).run()
    before = contents(store)
    assert take_over(store, "second") is SessionExit.INTERRUPTED
    assert contents(store) == before


@pytest.mark.parametrize("word", ["stop", "cancel"])
def test_a_session_asked_for_before_the_user_s_word_ends_its_number_and_does_nothing(word: str) -> None:
    store = short_with()
    append(ledger_of(store), word)
    assert Session(store=store, holder="first", number=1).run() is SessionExit.INTERRUPTED
    assert kinds(store) == ["created", "intent", word, "report"]
    assert not ledger_of(store).refresh().open


# The lease


def lose_lease(store: ObjectStore) -> dict[str, bytes]:
    """Another session takes over; the store as it is then."""
    append(ledger_of(store), "lost", session=1, why="its machine is gone")
    number = ask(store)
    append(ledger_of(store, "other"), "lease", session=number, machine={})
    return contents(store)


@pytest.mark.parametrize("pulse", [True, False], ids=["heard by a beat", "met at a commit"])
def test_a_session_that_lost_its_lease_writes_nothing_that_counts(pulse: bool) -> None:
    store = short_with("session.heartbeat_s=1")
    then: list[dict[str, bytes]] = []
    session = eventful(store, lambda step: then.append(lose_lease(store)) if step == 7 else None, pulse=pulse)
    assert session.run() is SessionExit.NOT_HOLDER
    new = {key: data for key, data in contents(store).items() if then[0].get(key) != data}
    assert [key for key in new if "/checkpoints/10-1/" not in key] == []
    assert bool(new) is not pulse  # only what was on its way when it met the other's lease: garbage, which none names
    assert judged(store).wrong == []


def test_a_session_declared_lost_stops_although_nobody_took_over() -> None:
    store = short_with("session.heartbeat_s=1")
    session = eventful(
        store, lambda step: append(ledger_of(store), "lost", session=1, why="gone") and None if step == 7 else None
    )
    assert session.run() is SessionExit.NOT_HOLDER
    assert kinds(store)[-1] == "lost"
    assert_goes_on_to_the_end(store)


def test_a_frozen_session_that_thaws_after_its_run_was_finished_changes_nothing() -> None:
    store = short_with()
    then: list[dict[str, bytes]] = []

    def freeze(step: int) -> None:
        if step == 7:
            assert take_over(store, "second") is SessionExit.FINISHED
            then.append(contents(store))

    session = eventful(store, freeze, pulse=False)
    assert session.run() is SessionExit.NOT_HOLDER
    changed = {key for key, data in contents(store).items() if then[0].get(key) != data}
    assert all("/checkpoints/10-1/" in key for key in changed)
    assert_untouched(store)


def test_a_number_that_was_leased_before_is_never_leased_again() -> None:
    store = short_with()
    with pytest.raises(Killed):
        Session(store=MortalStore(store, 30, Death.AFTER), holder="first", number=1).run()
    assert Session(store=store, holder="second", number=1).run() is SessionExit.FINISHED
    assert [entry["session"] for entry in raw_entries(store) if entry["kind"] == "lease"] == [1, 2]
    assert_untouched(store)


@pytest.mark.parametrize("own", [True, False], ids=["asked for", "by hand"])
def test_a_live_holder_keeps_a_newcomer_out(own: bool) -> None:
    store = short_with()
    with pytest.raises(Killed):
        Session(store=MortalStore(store, 30, Death.AFTER), holder="first", number=1).run()
    number = ask(store) if own else None
    before = contents(store)
    beats = iter(range(100, 200))

    def beat(_seconds: float) -> None:
        wire.write(store, RUN, 1, wire.Heartbeat(counter=next(beats), seq=2, digest="", phase="training"))

    newcomer = Session(store=store, holder="second", number=number, sleep=beat)
    assert newcomer.run() is SessionExit.NOT_HOLDER
    new = [key for key in contents(store) if key not in before]
    assert kinds(store)[len(kinds_of(before)) :] == (["report"] if own else [])
    assert len(new) == int(own)


def test_of_two_processes_started_for_one_number_one_trains_and_the_other_steps_aside() -> None:
    store = short_with("session.heartbeat_s=2")
    timeline = Timeline()
    codes: list[SessionExit] = []

    def start_twice(step: int) -> None:
        if step == 3:
            codes.append(Session(store=store, holder="twin", number=1, timeline=timeline).run())

    first = Session(store=store, holder="first", number=1, timeline=timeline, repeat=timeline.repeat)
    first.build = lambda experiment: EventfulToy(experiment, timeline, start_twice)
    assert first.run() is SessionExit.FINISHED
    assert codes == [SessionExit.NOT_HOLDER]
    assert_untouched(store)
