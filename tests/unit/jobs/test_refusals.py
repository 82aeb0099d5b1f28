"""A place that refuses a session, or does not answer: what becomes history, and what the same command does next."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facegan import layout
from facegan.accounts import Credentials
from facegan.errors import SessionExit, UnreachableError
from facegan.experiment import Json
from facegan.ledger import State
from facegan.storage.memory import MemoryStore
from jobs import credentials, follow, launch, sweeping
from jobs.backends.base import Capabilities, Hand, Order
from jobs.budget import Budget
from jobs.cli import _said
from jobs.cli.watch import carry
from jobs.context import Context
from jobs.errors import Exit
from jobs.refusals import Auth, Capacity, InvalidJob, Quota, Refusal, Uncertain
from jobs.supervision.policy import Allowed
from tests.fakes.killing import Killed
from tests.unit.jobs import world
from tests.unit.jobs.world import RUN, FakeBackend, Fate, FatedBackend, FatedStore, Machine

TOMORROW = datetime(2026, 11, 28, tzinfo=UTC)
ANSWERS: dict[str, Callable[[], Refusal]] = {
    "quota": lambda: Quota("30 hours of this week are used up", hint="wait", resets_at=TOMORROW),
    "capacity": lambda: Capacity("no T4 is free now"),
    "auth": lambda: Auth("the key is not known there"),
    "invalid": lambda: InvalidJob("there is no such image"),
    "refused": lambda: Refusal("no"),
}


class RefusingBackend(FatedBackend):
    """A backend that refuses so often; `begins` says whether the session began none the less."""

    def __init__(
        self,
        machine: Machine,
        answer: Callable[[], Refusal],
        *,
        times: int = 1,
        begins: bool = False,
        fate: Fate | None = None,
    ) -> None:
        super().__init__(machine, fate or Fate())
        self.asked: list[int] = []
        self._answer = answer
        self._left = times
        self._begins = begins

    def submit(self, order: Order, hand: Hand) -> Json:
        known = self.look_up(order)
        if known is not None or not self._left:
            return known or super().submit(order, hand)
        self.asked.append(order.number)
        self._left -= 1
        if self._begins:
            super().submit(order, hand)
        raise self._answer()


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_refusal_ends_the_number_and_is_history(kind: str, context: Context, store: MemoryStore) -> None:
    backend = RefusingBackend(Machine(), ANSWERS[kind])
    with pytest.raises(Refusal) as raised:
        world.submit(context, backend)
    assert world.kinds(store) == ["created", "intent", "refused"]
    refused = world.entries(store)[-1]
    assert (refused["session"], refused["why"], refused["refusal"]) == (1, raised.value.message, kind)
    assert refused["until"] == (TOMORROW.isoformat() if kind == "quota" else None)
    fold = world.ledger(store).refresh()
    assert (fold.state, fold.open) == (State.INTERRUPTED, ())
    assert world.is_whole(store)


def test_a_quota_may_not_say_when_it_is_renewed(context: Context, store: MemoryStore) -> None:
    with pytest.raises(Quota):
        world.submit(context, RefusingBackend(Machine(), lambda: Quota("used up")))
    assert world.entries(store)[-1]["until"] is None


@pytest.mark.parametrize("kind", ANSWERS)
def test_the_same_command_again_asks_under_the_next_number(kind: str, context: Context, store: MemoryStore) -> None:
    machine = Machine()
    backend = RefusingBackend(machine, ANSWERS[kind], times=2)
    for _ in range(2):
        with pytest.raises(Refusal):
            world.submit(context, backend)
    fold = world.submit(context, backend)
    assert backend.asked == [1, 2]
    assert (fold.newest, fold.state, list(machine.sessions)) == (3, State.QUEUED, [(RUN, 3)])
    assert world.train(store, 3) is SessionExit.FINISHED
    assert world.is_whole(store)


def test_a_refused_number_never_trains(context: Context, store: MemoryStore) -> None:
    """A place that refused and started it all the same: the number has ended, and its process takes another."""
    with pytest.raises(InvalidJob):
        world.submit(context, RefusingBackend(Machine(), ANSWERS["invalid"], begins=True))
    assert world.train(store, 1) is SessionExit.FINISHED
    assert [entry["session"] for entry in world.entries(store) if entry["kind"] == "lease"] == [2]
    assert world.is_whole(store)


def test_no_answer_appends_nothing_and_is_looked_up_the_next_time(context: Context, store: MemoryStore) -> None:
    machine = Machine()
    backend = RefusingBackend(machine, lambda: Uncertain("it does not answer"), begins=True)
    with pytest.raises(Uncertain):
        world.submit(context, backend)
    assert world.kinds(store) == ["created", "intent"]
    assert world.ledger(store).refresh().state is State.QUEUED
    fold = world.submit(context, backend)
    assert backend.asked == [1], "it was sent again blindly"
    assert fold.open[0].ref == world.alive()
    assert list(machine.sessions) == [(RUN, 1)]


def test_no_answer_about_a_session_that_never_began_asks_again_under_its_number(
    context: Context, store: MemoryStore
) -> None:
    machine = Machine()
    backend = RefusingBackend(machine, lambda: Uncertain("it does not answer"))
    with pytest.raises(Uncertain):
        world.submit(context, backend)
    fold = world.submit(context, backend)
    assert (fold.newest, list(machine.sessions)) == (1, [(RUN, 1)])
    assert world.kinds(store) == ["created", "intent", "launched"]


def test_a_session_that_leased_before_its_refusal_was_written_down_is_not_refused(
    context: Context, store: MemoryStore
) -> None:
    class Wrong(FakeBackend):
        def submit(self, order: Order, hand: Hand) -> Json:
            del hand
            world.die(store, order.number, machine=world.alive())
            raise InvalidJob("there is no such image")

    with pytest.raises(InvalidJob):
        world.submit(context, Wrong())
    assert "refused" not in world.kinds(store)
    assert world.ledger(store).refresh().state is State.RUNNING


@pytest.mark.parametrize("kind", [*ANSWERS, "uncertain"])
@pytest.mark.parametrize("begins", [False, True], ids=["not begun", "begun"])
def test_killed_anywhere_around_a_refusal_and_repeated_there_is_one_session(
    *, kind: str, begins: bool, home: Path
) -> None:
    """Between the answer and its entry, too: the intent stands, and the place is asked by name."""
    answer = {**ANSWERS, "uncertain": lambda: Uncertain("it does not answer")}[kind]

    def perform(store: MemoryStore, machine: Machine, fate: Fate, *, times: int) -> None:
        where = world.context(home, FatedStore(store, fate))
        backend = RefusingBackend(machine, answer, times=times, begins=begins, fate=fate)
        with contextlib.suppress(Refusal):
            world.submit(where, backend)

    untouched = Fate()
    perform(MemoryStore(), Machine(), untouched, times=1)
    assert len(untouched.steps) >= 6
    for at, step in enumerate(untouched.steps):
        for after in (False, True):
            store, machine, fate = MemoryStore(), Machine(), Fate(at, after=after)
            with pytest.raises(Killed):
                perform(store, machine, fate, times=1)
            for _ in range(2):  # a `resume` of the user's whose first answer may be a refusal again
                perform(store, machine, Fate(), times=0)
            when = f"{'after' if after else 'before'} {at} {step}"
            fold = world.ledger(store).refresh()
            assert len(fold.open) == 1, when
            number = fold.open[0].number
            assert (RUN, number) in machine.sessions, when
            assert {ended for _, ended in machine.sessions} <= {1, number}, when
            assert world.train(store, number) is SessionExit.FINISHED, when
            assert world.is_whole(store), when


@pytest.mark.parametrize(
    ("kind", "code"), [("quota", 105), ("capacity", 1), ("auth", 1), ("invalid", 1), ("refused", 1)]
)
def test_a_refusal_is_said_with_its_hint_and_its_exit_code(
    kind: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = ANSWERS[kind]()
    assert _said(refusal) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"error: {refusal.message}", *(["hint: wait"] if kind == "quota" else [])]


def test_no_answer_is_an_error_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(Uncertain("it does not answer", hint="docker version")) == 1
    assert capsys.readouterr().err == "error: it does not answer\nhint: docker version\n"


def test_credentials_are_made_only_for_a_session_that_is_really_made(
    context: Context, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And for the role that the user has set; their warnings are said."""
    made: list[tuple[str, str | None]] = []

    def mint(_context: Context, ledger: launch.Ledger, role: str | None, session_s: float | None) -> Credentials:
        assert session_s == Handing().capabilities().session_s == 3600.0
        made.append((ledger.run, role))
        return Credentials(environment={"KEY": "secret"}, warnings=["they reach the whole bucket"])

    monkeypatch.setattr(launch, "has_account", lambda _url: True)
    monkeypatch.setattr(credentials, "mint", mint)
    settled = dataclasses.replace(context.settings, role="arn:aws:iam::1:role/sessions")
    context = dataclasses.replace(context, settings=settled)
    said: list[str] = []
    handed: list[Credentials | None] = []

    class Handing(FakeBackend):
        def capabilities(self) -> Capabilities:
            return dataclasses.replace(super().capabilities(), session_s=3600.0)

        def submit(self, order: Order, hand: Hand) -> Json:
            known = self.look_up(order)
            if known is None:
                handed.append(hand())
            return known or super().submit(order, lambda: None)

    backend = Handing()
    for _ in range(2):
        ledger = launch.create(context, RUN, world.experiment())
        launch.submit(context, ledger, world.place(backend), said.append)
    assert made == [(RUN, "arn:aws:iam::1:role/sessions")]
    assert handed[0] is not None
    assert handed[0].environment == {"KEY": "secret"}
    assert [line for line in said if line.startswith("warning")] == ["warning: they reach the whole bucket"]
    assert b"secret" not in b"".join(world.contents(store).values())


def test_a_store_without_an_account_hands_over_nothing(context: Context) -> None:
    handed: list[Credentials | None] = []

    class Handing(FakeBackend):
        def submit(self, order: Order, hand: Hand) -> Json:
            handed.append(hand())
            return super().submit(order, hand)

    world.submit(context, Handing())
    assert handed == [None]


class TestSweep:
    """What is left behind goes once its session has ended, and never what is open."""

    @pytest.fixture
    def backend(self, monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
        found = FakeBackend()
        opened: list[tuple[str, str | None]] = []

        def open_backend(name: str, _settings: object, *, host: str | None = None) -> FakeBackend:
            opened.append((name, host))
            found.host = host  # type: ignore[assignment]
            return found

        monkeypatch.setattr(sweeping, "open_backend", open_backend)
        return found

    def test_the_place_of_the_session_that_ended_is_swept(
        self, context: Context, store: MemoryStore, backend: FakeBackend
    ) -> None:
        world.create(store)
        world.append(store, "intent", session=1, backend="docker", host="ssh://me@box")
        world.train(store, 1)
        ledger = world.ledger(store)
        ledger.refresh()
        sweeping.sweep(context, ledger)
        assert backend.swept == [(layout.run_url(store.url, RUN), ())]
        assert backend.host == "ssh://me@box"

    def test_a_watch_has_it_done(self, context: Context, store: MemoryStore, backend: FakeBackend) -> None:
        world.create(store)
        world.append(store, "intent", session=1, backend="docker")
        world.append(store, "lost", session=1, why="it is gone")
        allowed = Allowed(settings=context.settings, budget=Budget(hours=0.0))  # so that none is asked for
        for _ in range(2):
            assert carry(context, allowed, [RUN], once=True) == Exit.RUN_FAILED
        assert set(backend.swept) == {(layout.run_url(store.url, RUN), ())}

    def test_what_has_ended_for_certain_is_said(
        self, context: Context, store: MemoryStore, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not what is open, nor what is newer than anything that was read."""
        told: list[list[int]] = []
        monkeypatch.setattr(
            backend, "give_back", lambda _url, ended: told.append([n for n in range(1, 5) if ended(n)]), raising=False
        )
        world.interrupted(store)
        world.ask(store, number=2)
        ledger = world.ledger(store)
        ledger.refresh()
        sweeping.sweep(context, ledger)
        assert told == [[1]]

    def test_what_is_open_is_kept(self, context: Context, store: MemoryStore, backend: FakeBackend) -> None:
        world.interrupted(store)
        world.ask(store, number=2)
        ledger = world.ledger(store)
        ledger.refresh()
        sweeping.sweep(context, ledger)
        assert [keep for _, keep in backend.swept] == [(2,)]

    def test_before_anything_has_ended_nobody_is_asked(
        self, context: Context, store: MemoryStore, backend: FakeBackend
    ) -> None:
        world.create(store)
        world.ask(store)
        ledger = world.ledger(store)
        ledger.refresh()
        sweeping.sweep(context, ledger)
        assert backend.swept == []

    def test_a_place_that_does_not_answer_is_left_to_the_next_command(
        self, context: Context, store: MemoryStore, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sweep(*_what: object) -> None:
            raise UnreachableError("it does not answer")

        monkeypatch.setattr(backend, "sweep", sweep)
        ledger = world.finished(store)
        ledger.refresh()
        sweeping.sweep(context, ledger)

    def test_a_backend_of_a_newer_version_is_left_alone(self, context: Context, store: MemoryStore) -> None:
        world.create(store)
        world.append(store, "intent", session=1, backend="moonbase")
        world.train(store, 1)
        ledger = world.ledger(store)
        ledger.refresh()
        sweeping.sweep(context, ledger)


def test_a_follower_that_sees_a_refusal_ends(context: Context, store: MemoryStore) -> None:
    with contextlib.suppress(Refusal):
        world.submit(context, RefusingBackend(Machine(), ANSWERS["quota"]))
    fold = follow.wait(context, world.ledger(store), None, print)
    assert fold is not None
    assert fold.state is State.INTERRUPTED
