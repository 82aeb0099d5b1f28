"""Kills while the heart beats and the output is flushed: time passes only between two steps."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from facegan import session as wire
from facegan.errors import SessionExit
from facegan.experiment import override
from facegan.storage.base import ObjectStore
from tests.fakes.driving import RUN, SHORT, STORES, Session, TimedToy, Timeline, assert_untouched, begun, resume
from tests.fakes.killing import Death, Killed, MortalStore, WatchedStore

BEATING = override(SHORT, ["session.heartbeat_s=2"])


def beating(store: ObjectStore, holder: str, number: int | None = None) -> Session:
    """A session whose every step takes a second, and whose heart beats every two."""
    timeline = Timeline()
    session = Session(store=store, holder=holder, number=number, timeline=timeline, repeat=timeline.repeat)

    def build(experiment: object) -> TimedToy:
        session.said.append("built")
        return TimedToy(experiment, timeline)

    session.build = build
    return session


@functools.cache
def operations() -> tuple[int, ...]:
    """The operations that a beat asks for between two steps, and those of the first beat and the last."""
    store = WatchedStore(begun("memory", Path(), BEATING))
    assert beating(store, "first", 1).run() is SessionExit.FINISHED
    beats = [it.number for it in store.operations if "/sessions/" in it.key]
    return tuple(sorted({*beats, *(number - 1 for number in beats)}))  # the listing before it, too


def test_a_beat_is_written_every_two_steps_and_the_output_when_there_is_any() -> None:
    store = WatchedStore(begun("memory", Path(), BEATING))
    beating(store, "first", 1).run()
    beats = [it for it in store.operations if it.key.endswith("heartbeat.json") and it.verb == "put"]
    assert len(beats) == 1 + 10 + 1
    last = wire.read(store.store, RUN, 1)
    assert last is not None
    assert (last.counter, last.step, last.phase) == (12, 20, "ended")
    pieces = list(store.store.list(f"runs/{RUN}/sessions/1/output/"))
    assert len(pieces) >= 4
    said = b"".join(store.store.get(piece) for piece in pieces)
    assert b"checkpoint 5 committed" in said
    assert b"session 1 finished" in said


@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.usefixtures("unsynced")
def test_killed_at_any_operation_of_a_beat_a_run_ends_like_an_untouched_one(
    kind: str, death: Death, tmp_path: Path
) -> None:
    for at in operations():
        store = begun(kind, tmp_path / str(at), BEATING)
        with pytest.raises(Killed):
            beating(MortalStore(store, at, death), "first", 1).run()
        assert beating(store, "second").run() is SessionExit.FINISHED
        assert_untouched(store)


@pytest.mark.parametrize("death", Death, ids=lambda death: death.value)
def test_a_piece_of_output_is_whole_or_not_there(death: Death) -> None:
    whole = begun("memory", Path(), BEATING)
    beating(whole, "first", 1).run()
    pieces = {key: whole.get(key) for key in whole.list(f"runs/{RUN}/sessions/1/output/")}
    for at in operations():
        store = begun("memory", Path(), BEATING)
        with pytest.raises(Killed):
            beating(MortalStore(store, at, death), "first", 1).run()
        for key in store.list(f"runs/{RUN}/sessions/1/output/"):
            assert store.get(key) == pieces[key]


def test_the_counter_of_a_watched_heart_that_beats_keeps_others_out() -> None:
    store = begun("memory", Path(), BEATING)
    timeline = Timeline()
    first = Session(store=store, holder="first", number=1, timeline=timeline, repeat=timeline.repeat)
    tried: list[SessionExit] = []

    class Interrupted(TimedToy):
        def advance(self, steps: int) -> list[dict[str, float]]:
            if self.step == 7:
                newcomer = Session(store=store, holder="second", timeline=timeline)
                tried.append(newcomer.run())
            return super().advance(steps)

    first.build = lambda experiment: Interrupted(experiment, timeline)
    assert first.run() is SessionExit.FINISHED
    assert tried == [SessionExit.NOT_HOLDER]
    assert_untouched(store)


def test_resume_after_a_kill_in_a_beat_needs_no_watching() -> None:
    store = begun("memory", Path(), BEATING)
    with pytest.raises(Killed):
        beating(MortalStore(store, operations()[6], Death.TORN), "first", 1).run()
    assert resume(store, "second") is SessionExit.FINISHED
    assert_untouched(store)
