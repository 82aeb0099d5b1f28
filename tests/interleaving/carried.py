"""Sessions on copies of the run, the place where they are, and the commands that send them and take what they left.

The commands are the product's own, and so is what a session does on its copy. What a place was sent and what was left
there are objects beside the run, written once, so that the place is as much a part of every history as the store. No
command waits for another's lock: two laptops have none in common.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from facegan.errors import BadInputError, FaceganError, SessionExit, UnreachableError
from facegan.experiment import Json
from facegan.ledger import Fold, Ledger, Writer
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from facegan.stopping import StopSignal, interrupted
from facegan.storage.memory import MemoryStore
from facegan.storage.retry import PatientStore
from facegan.worker import run_session
from jobs import backends, launch, losing, orders, sweeping, word
from jobs.backends.base import Backend, Capabilities, Fate, Hand, Machine, Order
from jobs.carrying import packing
from jobs.carrying.packing import pack, unpack
from jobs.context import Context
from jobs.errors import JobError
from jobs.orders import Place
from jobs.refusals import Refusal, Uncertain
from jobs.settings import Settings
from jobs.supervision import policy, watching
from jobs.supervision.watching import Voice, Watch
from tests.fakes.toy import ToyTrainer
from tests.interleaving.program import WALL_S, brief_session, surroundings
from tests.interleaving.world import PLACE, RUN, Alone, Answer, Desk, Missing, Op, Program, Violation

AWAY = "hand"  # what a driven session says that it is of
HERE = "local"
NOTHING = b""  # was left: it was cut off


class Away(Backend):
    """A place that cannot reach the store; to one that does not know the user, `knows_us` is off."""

    name = AWAY
    host = None

    def __init__(self, desk: Desk, *, knows_us: bool = True) -> None:
        self._desk = desk
        self._knows_us = knows_us
        self.started: int | None = None
        self.sent = NOTHING

    def capabilities(self) -> Capabilities:
        return Capabilities(summary="a place", gpus=(), stores=("s3",), carries=("memory",), data_is_here=False)

    def machine(self, gpu: str | None) -> Machine:
        raise NotImplementedError(gpu)

    def bundle(self, gpu: str | None) -> Json:
        raise NotImplementedError(gpu)

    def command(self, order: Order) -> Json:
        raise NotImplementedError(order)

    def launching(self, run: str) -> contextlib.AbstractContextManager[None]:
        del run
        return contextlib.nullcontext()

    def submit(self, order: Order, hand: Hand) -> Json:
        del hand
        if self._ask("get", _sent(order.number)) is None:
            assert order.luggage is not None
            packed = order.luggage.packed()
            if not order.is_open():
                raise Refusal(f"session {order.number} has ended before it was sent")
            if self._ask("put_new", _sent(order.number), packed):
                self.started, self.sent = order.number, packed
        return self.ref(order)

    def ref(self, order: Order) -> Json:
        return {"number": order.number}

    def look_up(self, order: Order) -> Json | None:
        lives = self._ask("get", _sent(order.number)) is not None and self._ask("get", _left(order.number)) is None
        return self.ref(order) if lives else None

    def fate(self, ref: Json) -> Fate:
        with contextlib.suppress(Uncertain):
            if self._ask("get", _left(ref["number"])) is not None:
                return Fate(life=Life.GONE, why="it is over")
            if self._ask("get", _sent(ref["number"])) is not None:
                return Fate(life=Life.ALIVE)
            return Fate(life=Life.GONE, why="it is not there", missing=True)
        return Fate(life=Life.UNKNOWN)

    def left(self, order: Order) -> bytes | None:
        found = self._ask("get", _left(order.number))
        if found is None and self._ask("get", _sent(order.number)) is not None:
            raise Uncertain("it has not ended")
        assert found is None or isinstance(found, bytes)
        return found or None

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """As at Kaggle: only with all that it made."""
        if self._ask("get", _left(ref["number"])) is None and self._ask("get", _sent(ref["number"])) is not None:
            if not delete:
                raise BadInputError("its number there is not known")
            self._ask("put_new", _left(ref["number"]), NOTHING)

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Nothing is left behind."""

    def _ask(self, verb: str, key: str, data: bytes = b"") -> Answer:
        """One question, which nobody asks twice; `None` for what is not there."""
        if not self._knows_us:
            raise Uncertain("it does not know us")
        try:
            answer = self._desk.ask(Op(verb, key, data))
        except UnreachableError as error:
            raise Uncertain(error.message) from error
        return None if isinstance(answer, Missing) else answer


class Here(Away):
    """This machine: a session that is started reaches the store."""

    name = HERE

    def submit(self, order: Order, hand: Hand) -> Json:
        del hand
        self.started = order.number
        return {}

    def look_up(self, order: Order) -> Json | None:
        del order
        return None

    def fate(self, ref: Json) -> Fate:
        del ref
        return Fate(life=Life.UNKNOWN)


def _sent(number: int) -> str:
    return f"{PLACE}{number}/sent"


def _left(number: int) -> str:
    return f"{PLACE}{number}/left"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known(Settings):
    """What a command has set, and the places that it can speak to."""

    places: Mapping[str, Away]


class _Time:
    """A command's own clock: it moves while the command sleeps."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._now = 0.0

    def clock(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
        self._desk.sleep(seconds)


Command: TypeAlias = Callable[[Context, Ledger, Mapping[str, Away]], None]


def person(*commands: Command, knows_us: bool = True, steps: int | None = None) -> Program:
    """A user who types these commands. What they start goes on as a process: on a copy for so many `steps`, or here."""

    def run(desk: Desk) -> SessionExit:
        places = {AWAY: Away(desk, knows_us=knows_us), HERE: Here(desk)}
        context = _context(desk, places)
        for command in commands:
            with contextlib.suppress(JobError):
                command(context, context.ledger(RUN), places)
        if (number := places[AWAY].started) is not None:
            return _be_away(desk, number, _made(places[AWAY].sent, number, steps))
        if (number := places[HERE].started) is not None:
            desk.holder = desk.holder.removeprefix("user-")
            return brief_session(number)(desk)
        return SessionExit.FINISHED

    return run


def _context(desk: Desk, places: Mapping[str, Away]) -> Context:
    time = _Time(desk)
    desk.patient = True
    settings = Known(home=Path("/nowhere"), store="memory://", backend=HERE, tracking="", places=places)
    writer = Writer(holder=desk.holder, wall_s=lambda: WALL_S, new_id=desk.new_id)
    store = PatientStore(desk.store, desk.pause)
    return Context(settings=settings, store=store, writer=writer, clock=time.clock, sleep=time.sleep)


def _be_away(desk: Desk, number: int, made: bytes) -> SessionExit:
    """The session at its place: nobody sees what it does there before it has left it."""
    with contextlib.suppress(UnreachableError):
        desk.ask(Op("put_new", _left(number), made))
    return SessionExit.FINISHED


@cache
def _made(packed: bytes, number: int, steps: int | None) -> bytes:
    """What a session leaves that was sent this: of all steps, or interrupted after so many."""
    copy = MemoryStore()
    copy.objects = along = dict(unpack(packed))
    desk = Alone(f"away-{number}", copy)
    stop = StopSignal()

    class Stopped(ToyTrainer):
        def advance(self, count: int) -> Sequence[Mapping[str, float]]:
            done = super().advance(count)
            if self.step == steps:
                stop.give(interrupted("its time is up"))
            return done

    copy.objects = dict(along)
    run_session(dataclasses.replace(surroundings(desk, copy, number, beats=False), build=Stopped, stop=stop))
    return pack({key: data for key, data in copy.objects.items() if key not in along})


def cut_off(number: int) -> Program:
    """What the place does to a session of that number, if it has one: it is gone, with all it made."""

    def run(desk: Desk) -> SessionExit:
        if not isinstance(desk.ask(Op("get", _sent(number))), Missing):
            desk.ask(Op("put_new", _left(number), NOTHING))
        return SessionExit.FINISHED

    return run


def _quiet(_text: str) -> None:
    pass


def _place(places: Mapping[str, Away], name: str) -> Place:
    return Place(backend=places[name], gpu=None, carried=name == AWAY)


def submit(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
    launch.submit(context, ledger, _place(places, AWAY), _quiet)


def resume(name: str) -> Command:
    def resuming(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
        launch.resume(context, ledger, _place(places, name), None, _quiet)

    return resuming


def bring(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
    """What `wait` and `status` do of a session that is over."""
    del places
    launch.bury(context, ledger)


def stop(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
    del places
    _refused_while_away(ledger, lambda: word.stop(context, ledger))


def cancel(*, delete: bool) -> Command:
    def cancelling(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
        del places
        _refused_while_away(ledger, lambda: word.cancel(context, ledger, delete=delete))

    return cancelling


def give_up(number: int) -> Command:
    def giving_up(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
        del places
        with contextlib.suppress(BadInputError):  # it is known to live, or was not asked for yet
            word.give_up(context, ledger, number, _quiet)

    return giving_up


def _refused_while_away(ledger: Ledger, say: Callable[[], object]) -> None:
    try:
        say()
    except BadInputError as error:
        if ledger.fold.carried is None:
            raise Violation(f"refused, and no session is away: {error.message}") from error


class _Silent(Voice):
    def say(self, run: str, text: str) -> None: ...

    def complain(self, run: str, error: FaceganError) -> None: ...

    def give_up(self, run: str, why: str) -> None: ...

    def sync(self, names: Sequence[str]) -> bool:
        return bool(names)


def watch(context: Context, ledger: Ledger, places: Mapping[str, Away]) -> None:
    """One look of a watch that may go on at the place alone."""
    del ledger, places
    allowed = policy.Allowed(settings=context.settings, backends=(AWAY,))
    Watch(context=context, allowed=allowed, voice=_Silent(), names=[RUN]).once()


class _Forgetful:
    """Of runs that ended, a command may remember nothing."""

    def __init__(self, *_: object) -> None: ...

    def remember(self, views: Sequence[Json]) -> None: ...

    def watch_ended(self, runs: Sequence[str]) -> None: ...


def know_places(patch: pytest.MonkeyPatch) -> None:
    """Commands speak to the places of their own desk, and ask nothing of data or of this machine."""

    def opened(name: str, settings: Any, **_: object) -> Away:
        return settings.places[name]  # type: ignore[no-any-return]

    def fitting(context: Context, _ledger: Ledger, name: str, *_: object) -> Place:
        return _place(context.settings.places, name)  # type: ignore[attr-defined]

    table = {**backends.BACKENDS, AWAY: ""}
    for module in (launch, word, sweeping):
        patch.setattr(module, "open_backend", opened)
    for module in (launch, word, sweeping, policy):
        patch.setattr(module, "BACKENDS", table)
    patch.setattr(orders, "suited", lambda _context, _where, asked, _chosen: asked)
    patch.setattr("jobs.supervision.places.fitting", fitting)
    patch.setattr(packing, "_images", lambda *_: ())
    patch.setattr(watching, "fitting", fitting)
    patch.setattr(watching, "EndedRuns", _Forgetful)
    patch.setattr(word, "ENDED_S", 0.0)


class _Archive(Away):
    """What stands in a content, asked by nobody else."""

    def __init__(self, objects: Mapping[str, bytes], *, knows_us: bool) -> None:
        super().__init__(Desk("nobody"), knows_us=knows_us)
        self._objects = objects

    def _ask(self, verb: str, key: str, data: bytes = b"") -> Answer:
        if not self._knows_us:
            raise Uncertain("it does not know us")
        assert (verb, data) == ("get", b"")
        return self._objects.get(key)


def taken_home(objects: dict[str, bytes], session: OpenSession) -> dict[str, bytes]:
    """What is in the store when its place was asked at last; a session that has not ended by then is gone."""
    gone = {_left(session.number): NOTHING, **objects}
    return _settled(objects, lambda ledger: losing.bring_home(ledger, _Archive(gone, knows_us=True), session, "gone"))


def given_up(objects: dict[str, bytes], session: OpenSession) -> dict[str, bytes]:
    """What is in the store when nobody could ask its place any more."""
    return _settled(objects, lambda ledger: losing.forgo(ledger, _Archive({}, knows_us=False), session))


def _settled(objects: dict[str, bytes], settle: Callable[[Ledger], Fold]) -> dict[str, bytes]:
    store = MemoryStore()
    store.objects = dict(objects)
    tries = itertools.count()
    writer = Writer(holder="user-end", wall_s=lambda: WALL_S, new_id=lambda: f"user-end.{next(tries)}")
    if settle(Ledger(store, RUN, writer)).open:
        raise Violation("a session on a copy that is over stays open")
    return store.objects
