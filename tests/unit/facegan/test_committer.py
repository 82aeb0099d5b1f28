"""The cadence of checkpoints: at most one in flight, and never in the training's way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facegan.committer import PAUSES_S, Committer, Fresh, Place
from facegan.experiment import Checkpoint
from facegan.stopping import LOST_LEASE, StopSignal
from facegan.storage.base import ObjectStore, RefusedError
from tests.fakes.driving import append, begun, committed, inline, ledger_of
from tests.fakes.killing import SilentStore, WatchedStore

Spawn = Callable[[Callable[[], None]], Callable[[float | None], bool]]


class Rig:
    """A committer whose time and threads are the test's."""

    def __init__(self, policy: Checkpoint, store: ObjectStore | None = None, *, spawn: Spawn = inline) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.slept: list[float] = []
        self.stop = StopSignal()
        self.raw = begun("memory", Path())
        ledger = ledger_of(self.raw, "h")
        append(ledger, "lease", session=1, machine={})
        append(ledger, "restored", session=1, checkpoint=None, step=0, damaged=[], determinism={}, join="exact")
        self.ledger = ledger_of(store(self.raw) if callable(store) else self.raw, "h")
        self.ledger.refresh()
        self.committer = Committer(
            Place(
                ledger=self.ledger,
                session=1,
                policy=policy,
                stop=self.stop,
                clock=lambda: self.now,
                sleep=self.sleep,
                spawn=spawn,
                say=self.said.append,
            )
        )

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def commit(self, step: int) -> None:
        self.committer.start(step, lambda: b"state", Fresh())

    def steps(self) -> list[int]:
        return [entry["step"] for entry in committed(self.raw)]


class Pending:
    """A `spawn` whose work is done when the test says so."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []
        self.waited: list[float | None] = []

    def spawn(self, work: Callable[[], None]) -> Callable[[float | None], bool]:
        self.work.append(work)

        def wait(seconds: float | None) -> bool:
            self.waited.append(seconds)
            return work not in self.work

        return wait

    def do(self) -> None:
        self.work.pop()()


def test_in_seconds_a_checkpoint_is_due_when_they_have_passed_since_the_last_one_began() -> None:
    rig = Rig(Checkpoint(every_s=60.0))
    due = []
    for now in (0.0, 59.9, 60.0):
        rig.now = now
        due.append(rig.committer.is_due(int(now)))
    assert due == [False, False, True]
    rig.commit(60)
    rig.now = 119.9
    assert not rig.committer.is_due(119)
    rig.now = 120.0
    assert rig.committer.is_due(120)


def test_in_steps_a_checkpoint_is_due_at_its_multiples_whatever_the_clock_says() -> None:
    rig = Rig(Checkpoint(every_steps=5, every_s=0.1))
    rig.now = 1e6
    assert [step for step in range(1, 21) if rig.committer.is_due(step)] == [5, 10, 15, 20]


def test_a_cadence_in_seconds_gives_way_to_what_is_in_flight_and_says_so_once() -> None:
    pending = Pending()
    rig = Rig(Checkpoint(every_s=60.0), spawn=pending.spawn)
    rig.commit(1)
    rig.now = 60.0
    assert not rig.committer.is_due(2)
    assert not rig.committer.is_due(3)
    assert pending.waited == [0.0, 0.0]
    assert [said for said in rig.said if "slower than the cadence" in said] == rig.said
    assert len(rig.said) == 1
    pending.do()
    assert rig.committer.is_due(4)


def test_a_cadence_in_steps_waits_for_what_is_in_flight() -> None:
    pending = Pending()
    rig = Rig(Checkpoint(every_steps=5), spawn=pending.spawn)
    rig.commit(5)
    assert not rig.committer.is_due(10)
    assert pending.waited == [30.0]


def test_nothing_is_committed_until_it_is() -> None:
    pending = Pending()
    rig = Rig(Checkpoint(), spawn=pending.spawn)
    rig.commit(5)
    assert (rig.committer.committed, rig.steps(), rig.committer.finish(10.0)) == (0, [], False)
    pending.do()
    assert (rig.committer.committed, rig.steps(), rig.committer.finish(10.0)) == (5, [5], True)


def test_a_storage_that_does_not_answer_is_asked_again_at_growing_intervals() -> None:
    rig = Rig(Checkpoint(), lambda raw: SilentStore(raw, lambda it: it.verb == "put" and it.number < 9))
    rig.commit(5)
    assert rig.steps() == [5]
    assert rig.slept == [*PAUSES_S, *[PAUSES_S[-1]] * (len(rig.slept) - len(PAUSES_S))]
    assert rig.stop.cause is None


def test_with_a_deadline_it_is_asked_as_long_as_there_is_time() -> None:
    rig = Rig(Checkpoint(), lambda raw: SilentStore(raw, lambda it: it.verb == "put"))
    rig.committer.finish(100.0)
    rig.commit(5)
    assert rig.now <= 100.0
    assert sum(rig.slept) > 30.0
    assert (rig.steps(), rig.committer.committed) == ([], 0)
    assert "could not be committed" in rig.said[-1]


def test_a_lost_lease_is_told_to_the_training() -> None:
    rig = Rig(Checkpoint())
    append(ledger_of(rig.raw), "lost", session=1, why="gone")
    rig.commit(5)
    assert rig.stop.cause is LOST_LEASE
    assert rig.steps() == []


def test_whatever_else_goes_wrong_is_told_to_the_training() -> None:
    class Refusing(WatchedStore):
        def put(self, key: str, data: bytes) -> None:
            raise RefusedError(f'no right to write {len(data)} bytes to "{key}"')

    rig = Rig(Checkpoint(), Refusing)
    rig.commit(5)
    assert rig.stop.cause is not None
    assert rig.stop.cause.outcome == "failed"
    assert rig.stop.cause.why.startswith("no right to write 5 bytes")
    rig = Rig(Checkpoint())
    rig.committer.start(5, lambda: 1 / 0, Fresh())
    assert rig.stop.cause is not None
    assert rig.stop.cause.why == "ZeroDivisionError: division by zero"


def test_states_beyond_those_kept_are_pruned_after_the_commit() -> None:
    rig = Rig(Checkpoint(keep=2))
    for step in (1, 2, 3, 4):
        rig.commit(step)
    states = [key for key in rig.raw.list("runs/") if key.endswith("state.safetensors")]
    assert [key.split("/")[3] for key in states] == ["3-1", "4-1"]
    assert len([key for key in rig.raw.list("runs/") if key.endswith("metrics.jsonl")]) == 4


def test_a_storage_that_lets_nothing_be_deleted_costs_room_and_nothing_else() -> None:
    class Keeping(WatchedStore):
        def delete(self, key: str) -> None:
            raise RefusedError(f'no right to delete "{key}"')

    rig = Rig(Checkpoint(keep=2), Keeping)
    for step in (1, 2, 3):
        rig.commit(step)
    assert (rig.steps(), rig.stop.cause) == ([1, 2, 3], None)
    assert "could not all be deleted: no right to delete" in rig.said[-1]


def test_a_prune_that_is_not_answered_is_no_reason_to_commit_again() -> None:
    rig = Rig(Checkpoint(keep=2), lambda raw: SilentStore(raw, lambda it: it.verb == "delete"))
    for step in (1, 2, 3):
        rig.commit(step)
    assert (rig.steps(), rig.slept, rig.stop.cause) == ([1, 2, 3], [], None)


def test_a_new_committer_knows_what_is_committed() -> None:
    rig = Rig(Checkpoint())
    rig.commit(7)
    again = Committer(
        Place(
            ledger=rig.ledger,
            session=1,
            policy=Checkpoint(),
            stop=rig.stop,
            clock=lambda: 0.0,
            sleep=rig.sleep,
            spawn=inline,
            say=rig.said.append,
        )
    )
    assert again.committed == 7
