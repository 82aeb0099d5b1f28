"""Who takes part: sessions that run the real code, and users who type commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from facegan import catalog, checkpoints, experiment, lease
from facegan.checkpoints import Point
from facegan.errors import FaceganError, SessionExit
from facegan.experiment import Experiment
from facegan.ledger import FINAL, Fold, Ledger, Wish, Writer
from facegan.ledger.ledger import Decide
from facegan.output import Output
from facegan.stopping import StopSignal
from facegan.storage.base import ObjectStore
from facegan.storage.memory import MemoryStore
from facegan.storage.retry import PatientStore
from facegan.trainer import BuildTrainer
from facegan.worker import Surroundings, run_session
from tests.fakes.toy import ToyTrainer
from tests.interleaving.world import RUN, Desk, Program

WALL_S = 1e9
Command: TypeAlias = Callable[[Desk, Ledger], None]


def toy_experiment(steps: int, keep: int = 5) -> Experiment:
    """A checkpoint, a picture and a judgement at every step, so that all of them are part of every history."""
    settings = (f"training.steps={steps}", "checkpoint.every_steps=1", f"checkpoint.keep={keep}")
    observed = ("samples.every_steps=1", "evaluation.every_steps=1")
    return experiment.override(catalog.find("dcgan-mnist").experiment, [*settings, *observed])


def created(of: Experiment, *, submitted: bool) -> dict[str, bytes]:
    """What is in the store after `submit`: a created run, and where it got so far, the intent of number 1."""
    store = MemoryStore()
    ledger = Ledger(store, RUN, Writer(holder="user-0", wall_s=lambda: WALL_S, new_id=lambda: "first"))
    ledger.create({"run": RUN, "experiment": experiment.to_json(of)})
    if submitted:
        ledger.append(lambda fold: None if fold.newest else _intent(fold))
    return store.objects


def session(number: int | None = None, *, patient: bool = True, beats: bool = False) -> Program:
    """The whole of `run_session`, with commits inline: started by hand, or under the number it was asked for.

    `patient` asks again when an answer is lost, as the real process does; without it every lost answer goes
    through to the session. `beats`: a heartbeat before every step.
    """

    def run(desk: Desk) -> SessionExit:
        return run_session(surroundings(desk, _store(desk, patient=patient), number, beats=beats))

    return run


def surroundings(desk: Desk, store: ObjectStore, number: int | None, *, beats: bool) -> Surroundings:
    pulse: list[Callable[[], None]] = []
    return Surroundings(
        store=store,
        run=RUN,
        number=number,
        holder=desk.holder,
        machine={},
        build=_beating(pulse) if beats else ToyTrainer,
        clock=lambda: 0.0,
        wall_s=lambda: WALL_S,
        sleep=desk.sleep,
        new_id=desk.new_id,
        spawn=_inline,
        repeat=_collecting(pulse),
        abandon=_never,
        began=0.0,
        stop=StopSignal(),
        output=Output(),
        say=desk.say,
    )


def slim_session(number: int | None = None) -> Program:
    """The same real parts without heartbeats and threads: lease, restore, train, commit, report."""

    def run(desk: Desk) -> SessionExit:
        ledger = Ledger(_store(desk, patient=True), RUN, _writer(desk))
        try:
            return _extend(desk, ledger, number)
        except FaceganError as error:
            return error.exit_code

    return run


def brief_session(number: int | None = None) -> Program:
    """Lease the run, and give it back: all that three can do in a small world."""

    def run(desk: Desk) -> SessionExit:
        ledger = Ledger(_store(desk, patient=True), RUN, _writer(desk))
        try:
            mine = _take(desk, ledger, number)
            said = {"session": mine, "outcome": "interrupted", "step": 0, "why": "brief", "took_s": 0.0}
            _append_held(ledger, lambda _fold: Wish(kind="report", body=said))
        except FaceganError as error:
            return error.exit_code
        return SessionExit.INTERRUPTED

    return run


def _take(desk: Desk, ledger: Ledger, number: int | None) -> int:
    return lease.take(ledger, lease.Claim(number=number, machine={}, lease_s=1.0, sleep=desk.sleep, say=_quiet))


def _writer(desk: Desk) -> Writer:
    return Writer(holder=desk.holder, wall_s=lambda: WALL_S, new_id=desk.new_id)


def _extend(desk: Desk, ledger: Ledger, number: int | None) -> SessionExit:
    of = ledger.created()
    mine = _take(desk, ledger, number)
    trainer, restored = ToyTrainer(of), checkpoints.restore(ledger)
    if restored.state is not None:
        trainer.restore(restored.state)
    facts = {"session": mine, "determinism": dict(trainer.determinism), "join": "exact"}
    _append_held(ledger, lambda fold: checkpoints.restored_wish(ledger, restored, facts) if fold.tip is None else None)
    while trainer.step < ledger.fold.steps:
        [values] = trainer.advance(1)
        point = Point(step=trainer.step, at=int(WALL_S * 1000), values={**values, **trainer.evaluate()})
        checkpoints.commit(
            ledger,
            session=mine,
            step=trainer.step,
            state=trainer.snapshot()(),
            points=[point],
            samples=[],
            clock=lambda: 0.0,
        )
        desk.say(f"checkpoint {trainer.step} committed")
    said = {"session": mine, "outcome": "finished", "step": trainer.step, "why": "done", "took_s": 0.0}
    _append_held(ledger, lambda _fold: Wish(kind="report", body=said))
    return SessionExit.FINISHED


def _append_held(ledger: Ledger, decide: Decide) -> None:
    def held(fold: Fold) -> Wish | None:
        if not fold.holds(ledger.writer.holder):
            raise checkpoints.not_holder(fold)
        return decide(fold)

    ledger.append(held)


def user(*commands: Command, then: Callable[[int], Program] | None = None, patient: bool = True) -> Program:
    """A user at the command line; `then` is the session that is started if the last command asked for a number."""

    def run(desk: Desk) -> SessionExit:
        ledger = Ledger(_store(desk, patient=patient), RUN, _writer(desk))
        try:
            for command in commands:
                command(desk, ledger)
        except FaceganError as error:
            return error.exit_code
        if then is None or not any(text == "acknowledged intent" for _, text in desk.said):
            return SessionExit.FINISHED
        desk.holder = desk.holder.removeprefix("user-")
        return then(ledger.fold.newest)(desk)

    return run


def stop(desk: Desk, ledger: Ledger) -> None:
    def decide(fold: Fold) -> Wish | None:
        return None if fold.stop or fold.state in FINAL else Wish(kind="stop", body={})

    _command(desk, ledger, "stop", decide)


def cancel(desk: Desk, ledger: Ledger) -> None:
    def decide(fold: Fold) -> Wish | None:
        return None if fold.cancel or fold.finished else Wish(kind="cancel", body={})

    _command(desk, ledger, "cancel", decide)


def extend(steps: int) -> Command:
    """`resume --steps`: its first half."""

    def decide(fold: Fold) -> Wish | None:
        return None if fold.cancel or fold.steps >= steps else Wish(kind="extended", body={"steps": steps})

    return lambda desk, ledger: _command(desk, ledger, "extended", decide)


def declare_lost(desk: Desk, ledger: Ledger) -> None:
    """What a provider says is gone, rightly or wrongly: every number that has not ended."""
    numbers = [found.number for found in ledger.refresh().open]
    for number in numbers:
        _command(desk, ledger, "lost", _gone(number))


def _gone(number: int) -> Decide:
    wish = Wish(kind="lost", body={"session": number, "why": "its machine is gone"})
    return lambda fold: wish if fold.session(number) else None


def resume(desk: Desk, ledger: Ledger) -> None:
    """Declare what is open lost, and ask for the next number with the user's word."""

    def decide(fold: Fold) -> Wish | None:
        return None if fold.open or fold.state in FINAL else _intent(fold, resume=True)

    declare_lost(desk, ledger)
    _command(desk, ledger, "intent", decide)


def _command(desk: Desk, ledger: Ledger, kind: str, decide: Decide) -> None:
    wanted: list[bool] = []

    def deciding(fold: Fold) -> Wish | None:
        wish = decide(fold)
        wanted.append(wish is not None)
        return wish

    ledger.append(deciding)
    if wanted[-1]:
        desk.say(f"acknowledged {kind}")


def _intent(fold: Fold, *, resume: bool = False) -> Wish:
    said = {"resume": True} if resume else {}
    return Wish(kind="intent", body={"session": fold.newest + 1, "backend": "local", **said})


def _store(desk: Desk, *, patient: bool) -> ObjectStore:
    desk.patient = patient
    return PatientStore(desk.store, desk.pause) if patient else desk.store


def _inline(work: Callable[[], None]) -> Callable[[float | None], bool]:
    work()
    return lambda _seconds: True


def _collecting(pulse: list[Callable[[], None]]) -> Callable[[Callable[[], None], float], Callable[[], None]]:
    def repeat(work: Callable[[], None], _every_s: float) -> Callable[[], None]:
        pulse.append(work)
        return lambda: None

    return repeat


def _beating(pulse: Sequence[Callable[[], None]]) -> BuildTrainer:
    """The toy, with the heartbeats that would come from a thread before each of its steps."""

    class Beating(ToyTrainer):
        def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
            for beat in pulse:
                beat()
            return super().advance(steps)

    return Beating


def _never(code: SessionExit) -> None:
    raise AssertionError(code)


def _quiet(_text: str) -> None:
    pass
