"""Notices of a machine that is taken back: heard, believed as far as they go, and what a session makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facegan import preemption
from facegan.errors import BadInputError, SessionExit
from facegan.experiment import Experiment
from facegan.preemption import Watch, metadata
from facegan.stopping import StopSignal
from facegan.storage.base import ObjectStore
from tests.fakes import metadata as fake
from tests.fakes.driving import (
    SHORT,
    Session,
    ask,
    assert_untouched,
    begun,
    committed,
    raw_entries,
    resume,
)
from tests.fakes.metadata import Machine
from tests.fakes.toy import ToyTrainer

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setattr(preemption, "TIMEOUT_S", 60.0)  # an answer that is late is none: nothing here is about that
    with fake.serving() as found:
        yield found


class Listener:
    """A session's ear, and what it was told."""

    def __init__(self, machine: Machine, cloud: str) -> None:
        where = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{machine.url}/", "GCE_METADATA_HOST": machine.host}
        self.stop = StopSignal()
        self.said: list[str] = []
        self.watch = Watch(metadata(cloud, where, lambda: NOON), self.stop, self.said.append)

    def hear(self) -> StopSignal:
        self.watch.look()
        return self.stop


@pytest.mark.parametrize("cloud", ["ec2", "gce"])
def test_a_machine_that_stays_says_nothing(machine: Machine, cloud: str) -> None:
    listener = Listener(machine, cloud)
    for _ in range(3):
        assert listener.hear().cause is None
    assert not listener.said
    assert not listener.stop.warned


@pytest.mark.parametrize(
    ("at", "grace_s"),
    [
        ("2026-11-24T12:02:00Z", 115.0),
        ("2026-11-24T12:01:00Z", 55.0),
        ("2026-11-24T14:00:00Z", 115.0),  # this machine's clock is late: no more than is promised
        ("2026-11-24T11:00:00Z", 10.0),  # it is early: something is tried
    ],
)
def test_ec2_gives_what_is_left_of_two_minutes(machine: Machine, at: str, grace_s: float) -> None:
    machine.action = {"action": "terminate", "time": at}
    cause = Listener(machine, "ec2").hear().cause
    assert cause is not None
    assert (cause.outcome, cause.commit, cause.grace_s) == ("interrupted", True, grace_s)
    assert cause.why == f"EC2 will terminate this machine at {at}"


def test_gce_gives_what_is_left_of_half_a_minute(machine: Machine) -> None:
    machine.preempted = True
    cause = Listener(machine, "gce").hear().cause
    assert cause is not None
    assert (cause.why, cause.grace_s) == ("Compute Engine takes this machine back", 28.0)


def test_what_may_come_is_told_once_and_stops_nobody(machine: Machine) -> None:
    machine.rebalance = True
    listener = Listener(machine, "ec2")
    assert listener.hear().warned
    listener.stop.warned = False  # the checkpoint was made
    assert not listener.hear().warned
    assert listener.stop.cause is None
    assert listener.said == ["EC2 says that this machine may soon be taken back"]


def test_a_token_that_ran_out_is_asked_for_again(machine: Machine) -> None:
    listener = Listener(machine, "ec2")
    listener.hear()
    machine.tokens.clear()
    machine.action = {"action": "stop", "time": "2026-11-24T12:02:00Z"}
    assert listener.hear().cause is None  # refused: no answer is no notice
    assert listener.hear().cause is not None


@pytest.mark.parametrize("cloud", ["ec2", "gce"])
def test_no_answer_is_no_notice(machine: Machine, cloud: str) -> None:
    machine.silent.set()
    listener = Listener(machine, cloud)
    assert listener.hear().cause is None
    machine.silent.clear()
    machine.preempted, machine.action = True, {"action": "terminate", "time": "2026-11-24T12:02:00Z"}
    assert listener.hear().cause is not None


def test_what_cannot_be_read_is_no_notice(machine: Machine) -> None:
    machine.action = {"action": "terminate", "time": "soon"}
    assert Listener(machine, "ec2").hear().cause is None


def test_nobody_there_is_no_notice() -> None:
    with fake.serving() as gone:
        listener = Listener(gone, "ec2")
    assert listener.hear().cause is None


def test_an_unknown_cloud_is_refused() -> None:
    with pytest.raises(BadInputError, match='machines of "azure"'):
        metadata("azure", {}, lambda: 0.0)


class Heard(ToyTrainer):
    """A toy whose session asks the metadata service after each step, and to which something happens before."""

    before: Callable[[int], None]
    watch: Watch

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        done = super().advance(steps)
        self.before(self.step)
        self.watch.look()
        return done


def session_on(machine: Machine, cloud: str, before: Callable[[int], None]) -> tuple[ObjectStore, SessionExit]:
    store = begun("memory", Path(), SHORT)
    session = Session(store=store, holder="first", number=1)
    where = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": machine.url, "GCE_METADATA_HOST": machine.host}
    watch = Watch(metadata(cloud, where, lambda: NOON), session.stop, session.said.append)

    def build(experiment: Experiment) -> Heard:
        toy = Heard(experiment)
        toy.before, toy.watch = before, watch
        return toy

    session.build = build
    return store, session.run()


@pytest.mark.parametrize("cloud", ["ec2", "gce"])
def test_a_preempted_session_commits_where_it_is_and_the_next_one_ends_as_if_nothing_had_happened(
    machine: Machine, cloud: str
) -> None:
    def taken(step: int) -> None:
        if step == 8:
            machine.preempted, machine.action = True, {"action": "terminate", "time": "2026-11-24T12:02:00Z"}

    store, code = session_on(machine, cloud, taken)
    assert code is SessionExit.INTERRUPTED
    assert [entry["step"] for entry in committed(store)][-1] == 8
    assert raw_entries(store)[-1]["outcome"] == "interrupted"
    ask(store, resume=True)
    assert resume(store, "later") is SessionExit.FINISHED
    assert_untouched(store)


def test_a_warning_makes_one_checkpoint_and_the_training_goes_on(machine: Machine) -> None:
    def warned(step: int) -> None:
        machine.rebalance = machine.rebalance or step == 7

    store, code = session_on(machine, "ec2", warned)
    assert code is SessionExit.FINISHED
    steps = [entry["step"] for entry in committed(store)]
    assert 7 in steps
    assert steps.count(7) == 1
    assert [step for step in steps if step % 5] == [7]
