"""Where a run's hours went: by the store's one clock between sessions, and by a session's own inside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegan import layout
from facegan.experiment import Experiment, override
from facegan.handed import Origin
from facegan.hours import Hours, hours, read, stays
from facegan.ledger import Fold, IllegalEntryError, Ledger
from facegan.spent import KINDS, TRAINING
from facegan.stopping import StopSignal, interrupted
from facegan.storage.memory import MemoryStore
from facegan.worker import run_session
from tests.fakes import driving
from tests.fakes.driving import RUN, SHORT, Session, TimedToy, Timeline
from tests.fakes.killing import Killed, WatchedStore

LONG = override(SHORT, ["samples.every_steps=100", "evaluation.every_steps=100"])


class Slow(TimedToy):
    """Takes 40 s to be built, a second for each step, and half of one to copy its state."""

    def __init__(self, experiment: Experiment, timeline: Timeline) -> None:
        super().__init__(experiment, timeline)
        timeline.sleep(40.0)

    def snapshot(self) -> Callable[[], bytes]:
        self._timeline.sleep(0.5)
        return super().snapshot()


class World:
    """A store with a clock of its own, and sessions whose clocks begin at 0."""

    def __init__(self) -> None:
        self.now = 1.8e9
        self.line: Timeline | None = None
        self.store = MemoryStore(wall_s=lambda: self.now + (self.line.now if self.line else 0.0))
        driving.create(self.store, LONG)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def session(self, number: int | None, through: Any = None, stop_after: float | None = None) -> None:
        line, stop = Timeline(), StopSignal()
        self.line = line
        if stop_after is not None:
            line.repeat(lambda: line.now >= stop_after and stop.give(interrupted("enough")), 1.0)
        holder = f"holder-{self.now}"
        session = Session(
            store=through or self.store,
            holder=holder,
            number=number,
            build=lambda experiment: Slow(experiment, line),
            timeline=line,
            repeat=line.repeat,
            stop=stop,
        )
        try:
            session.run()
        except Killed:
            pass
        finally:
            self.line = None
            self.now += line.now

    def hours(self) -> Hours:
        found = hours(driving.ledger_of(self.store))
        assert_whole(found)
        return found


def assert_whole(found: Hours) -> None:
    assert sum(found.parts.values()) + found.idle == found.whole
    assert sum(each.whole for each in found.sessions) + found.idle == found.whole
    assert all(much >= 0 for each in found.sessions for much in each.parts.values())
    assert found.idle >= 0


def assert_told(found: Hours) -> None:
    """Whatever the store's times leave room for, a session that reported took what it says."""
    for each in found.sessions:
        said, committed = each.stay.reported, each.stay.committed.get(TRAINING, 0)
        if said and each.stay.leased is not None and committed <= said.get(TRAINING, 0):
            assert each.took == sum(said.values())


def seconds(parts: Mapping[str, int]) -> dict[str, float]:
    return {name: much / 1000 for name, much in parts.items() if much}


def test_a_session_that_was_waited_for_then_ran_to_the_end() -> None:
    world = World()
    world.wait(5.0)
    number = driving.ask(world.store)
    world.wait(60.0)
    world.session(number)
    found = world.hours()
    (only,) = found.sessions
    assert found.idle == 5_000
    assert seconds(only.parts) == {"queue": 60.0, "starting": 41.0, "useful": 19.0, "saving": 2.0}
    assert found.unfit == 0
    assert (only.stay.first, only.stay.last, only.stay.outcome) == (0, 20, "finished")


def test_steps_that_a_killed_session_did_not_come_to_commit_were_done_for_nothing() -> None:
    """Its heartbeat, every five seconds, is the last that is known of it; the rest of the time nobody held the run."""
    world = World()
    number = driving.ask(world.store)
    world.session(number, through=DiesAtSecondState(world.store))
    world.wait(600.0)
    driving.declare_lost(world.store)
    world.wait(30.0)
    world.session(driving.ask(world.store))
    first, second = world.hours().sessions
    assert first.stay.outcome == "lost"
    # 41 + 4 + 0.5 s to the first checkpoint, killed 5.5 s later, when 50 s were beaten: 4.5 s after the checkpoint.
    assert seconds(first.parts) == {"starting": 41.0, "useful": 4.0, "saving": 0.5, "again": 4.5}
    assert seconds(second.parts) == {"starting": 41.0, "useful": 14.0, "saving": 1.5}
    assert second.stay.first == 5
    found = world.hours()
    assert found.idle == pytest.approx(600_000 + 30_000 + 1_000, abs=1)


class DiesAtSecondState(WatchedStore):
    """The store of a process that is killed when it has uploaded its second checkpoint's state."""

    def _do(self, verb: str, key: str, act: Callable[[], Any], tear: Callable[[], None]) -> Any:
        states = [it for it in self.operations if it.verb == "put" and it.key.endswith("state.safetensors")]
        if len(states) == 2:
            raise Killed
        return super()._do(verb, key, act, tear)


def test_what_was_away_is_told_by_its_own_clock_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """All entries of a carried session come home at once: between them the store's clock says nothing."""
    world, away = World(), World()
    number = driving.ask(world.store, "kaggle", carried=True)
    away.store.objects.clear()
    away.store.objects.update(driving.contents(world.store))
    monkeypatch.setattr(
        driving, "run_session", lambda here: run_session(replace(here, origin=Origin(backend="kaggle")))
    )
    away.session(number)
    world.wait(3_600.0)
    for key, data in driving.contents(away.store).items():
        world.store.put_new(key, data)
    (only,) = world.hours().sessions
    assert seconds(only.parts) == {"away": 3_538.0, "starting": 41.0, "useful": 19.0, "saving": 2.0}


def test_a_copied_store_has_no_times_and_the_receipt_says_how_much_did_not_fit() -> None:
    world = World()
    world.session(driving.ask(world.store))
    copy = MemoryStore(wall_s=lambda: 5.0)
    for key, data in driving.contents(world.store).items():
        copy.put(key, data)
    found = hours(driving.ledger_of(copy))
    assert_whole(found)
    assert (found.whole, found.unfit) == (0, 62_000)


def test_a_run_of_an_older_version_whose_entries_have_no_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr("facegan.hours.stays._spent", lambda _entry: {})
    world.session(driving.ask(world.store))
    (only,) = world.hours().sessions
    assert seconds(only.parts) == {"starting": 40.0, "useful": 22.0}


def test_a_session_that_goes_on_is_counted_to_its_last_heartbeat() -> None:
    world = World()
    world.session(driving.ask(world.store), through=DiesAtSecondState(world.store))
    found = world.hours()
    assert found.whole == 50_000
    assert found.sessions[0].stay.outcome == "open"
    assert seconds(found.parts) == {"starting": 41.0, "useful": 8.5, "saving": 0.5}, "it may yet commit them"


# Any ledger that the law allows, with any clocks: the parts make up the whole, and bisection misses nothing.

MOST_S = st.sampled_from([0.0, 0.0004, 0.5, 7.0, 3_600.0, 1e6])
SPENT = st.none() | st.dictionaries(st.sampled_from(KINDS), MOST_S)
KINDS_OF_OPS = (
    *("intent", "carried", "launched", "lease", "over", "restored", "checkpoint", "checkpoint"),
    *("report", "early", "lost", "refused", "stop", "beat"),
)
OPS = st.tuples(
    st.sampled_from(KINDS_OF_OPS),
    st.integers(-5, 10_000),  # seconds by the store's clock until it, which may be set back
    SPENT,
)


@settings(max_examples=150, deadline=None)
@given(ops=st.lists(OPS, max_size=40))
def test_the_parts_make_up_the_whole_whatever_happened(ops: Sequence[tuple[str, int, Any]]) -> None:
    clock = [1.8e9]
    store = MemoryStore(wall_s=lambda: clock[0])
    driving.create(store)
    for kind, wait_s, spent in (("intent", 0, None), *ops):
        clock[0] += wait_s
        try:
            _happen(store, kind, spent)
        except IllegalEntryError:
            continue
    ledger = driving.ledger_of(store)
    found = hours(ledger)
    assert_whole(found)
    assert found.whole >= 0
    assert_told(found)
    everything = [*ledger.entries()]
    bisected, stays._telling = stays._telling, lambda *_: iter(everything)  # type: ignore[assignment]
    try:
        assert read(ledger) == read_by(bisected, ledger)
    finally:
        stays._telling = bisected


def read_by(telling: Any, ledger: Ledger) -> Any:
    everything, stays._telling = stays._telling, telling
    try:
        return read(ledger)
    finally:
        stays._telling = everything


def _happen(store: MemoryStore, kind: str, spent: Any) -> None:
    fold = driving.ledger_of(store).refresh()
    number = fold.open[-1].number if fold.open else fold.newest
    if kind == "beat":
        store.put(layout.heartbeat(RUN, max(number, 1)), b"{}")
    elif (body := _body(fold, kind, number)) is not None:
        by = f"holder-{number}" if kind in {"lease", "over"} else f"holder-{fold.holder.number}" if fold.holder else "x"
        name = {"carried": "intent", "over": "lease", "early": "report"}.get(kind, kind)
        said = {"spent": spent} if name in {"restored", "checkpoint", "report"} and spent is not None else {}
        driving.append(driving.ledger_of(store, "user" if kind == "early" else by), name, **body, **said)


def _body(fold: Fold, kind: str, number: int) -> dict[str, Any] | None:
    if kind in {"intent", "carried"}:
        return {"session": fold.newest + 1, "backend": "local", "carried": kind == "carried"}
    if kind == "restored" and fold.tip is not None:
        return None  # a session restores once
    if kind == "restored":
        seq, step = fold.good[-1] if fold.good else (None, 0)
        return {"checkpoint": seq, "step": step, "damaged": [], "determinism": {"device": "toy"}, "join": "exact"}
    if kind == "checkpoint":
        return _checkpoint(fold.holder.number, fold.tip) if fold.holder and fold.tip else None
    if kind == "report" and fold.holder:
        number = fold.holder.number
    over = {"over": fold.holder.number} if fold.holder and kind == "over" else {}
    said = {"why": "x", "outcome": "interrupted", "ref": {"id": str(number)}}
    wants = {"launched": ["ref"], "lost": ["why"], "refused": ["why"], "report": ["why", "outcome"]}
    wants["early"] = wants["report"]
    return {} if kind == "stop" else {"session": number, **over, **{name: said[name] for name in wants.get(kind, [])}}


def _checkpoint(session: int, tip: tuple[int, int]) -> dict[str, Any]:
    step = tip[1] + 1
    objects = {layout.STATE: {"size": 1, "sha256": "0" * 64}}
    key = layout.checkpoint(RUN, step, session)
    return {"session": session, "step": step, "parent": tip[0], "key": key, "objects": objects, "took_s": 1.0}
