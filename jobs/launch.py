"""Starting sessions: `submit` and `resume`.

Both are idempotent by (run, session number), and safe to kill anywhere: the `intent` comes first, and
two commands race for it; the session is then looked up by its name before it is created; `launched`
comes last and only saves the next command the look-up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facegan import layout, lease
from facegan.errors import BadInputError
from facegan.experiment import Experiment, Json
from facegan.ledger import Fold, Ledger, State, Wish
from facegan.ledger.fold import OpenSession
from facegan.process import Life, life
from jobs import recipe
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Backend, Order
from jobs.context import Context
from jobs.errors import JobError

BY_HAND = "hand"  # the backend of a session that nobody launched: `python -m facegan run`, typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a session is to run: a backend, and one of its GPUs or none."""

    backend: Backend
    gpu: str | None


def place(context: Context, backend: str | None, gpu: str | None) -> Place:
    """Check that this backend can run a session on this GPU from this store.

    Raises:
        BadInputError: it cannot; the hint says what can.
    """
    name = backend or context.settings.backend
    chosen = open_backend(name, context.settings)
    able = chosen.capabilities()
    scheme = context.store.url.partition("://")[0]
    if scheme not in able.stores:
        stores = ", ".join(f"{known}://" for known in able.stores)
        raise BadInputError(
            f'sessions on backend "{name}" cannot reach the store "{context.store.url}"', hint=f"they reach {stores}"
        )
    if gpu is None:
        return Place(backend=chosen, gpu=None)
    for known in able.gpus:
        if known.lower() == gpu.lower():
            return Place(backend=chosen, gpu=known)
    has = f"it has {', '.join(able.gpus)}" if able.gpus else "it has none; leave --gpu out to train on the CPU"
    raise BadInputError(f'backend "{name}" has no GPU "{gpu}"', hint=has)


def order(context: Context, run: str, number: int, gpu: str | None) -> Order:
    return Order(run=run, run_url=layout.run_url(context.store.url, run), number=number, gpu=gpu)


def create(context: Context, run: str, chosen: Experiment, images: int | None = None) -> Ledger:
    """Begin the run, or find that it was begun with the same content before.

    Raises:
        BadInputError: the id is taken by a run with other content.
    """
    ledger = context.ledger(run)
    body = recipe.created_body(run, chosen, images)
    if not ledger.create(body):
        there = ledger.entry(0).body
        if any(there[key] != body[key] for key in ("run", "experiment", "data")):
            raise BadInputError(
                f'there is a run "{run}" already, with other content',
                hint=f"choose another --name, or: facegan-job status {run}",
            )
    return ledger


def submit(context: Context, ledger: Ledger, where: Place, say: Callable[[str], object]) -> Fold:
    """See to it that the run has a session, unless it has one, or has ended.

    Repeated after having been killed anywhere, it goes on where it was.
    """
    lease.require_whole(ledger)
    if ledger.refresh().state in {State.FINISHED, State.CANCELLED, State.STOPPED}:
        return ledger.fold
    return _continue(context, ledger, where, say, by_user=False)


def resume(context: Context, ledger: Ledger, where: Place, steps: int | None, say: Callable[[str], object]) -> Fold:
    """Give the run another session, with the user's word: it ends a stop, and may make the run longer.

    Raises:
        JobError: the run is finished or cancelled.
    """
    lease.require_whole(ledger)
    if steps is not None:
        _extend(ledger, steps)
    fold = _until_stopped(context, ledger, say)
    if fold.state is State.CANCELLED:
        raise JobError(f'run "{ledger.run}" is cancelled, which is final', hint="facegan-job submit starts a new run")
    if fold.state is State.FINISHED:
        raise JobError(
            f'run "{ledger.run}" is finished: all {fold.steps:,} steps are committed',
            hint=f"facegan-job resume {ledger.run} --steps {2 * fold.steps} trains it on",
        )
    return _continue(context, ledger, where, say, by_user=True)


def bury(context: Context, ledger: Ledger) -> Fold:
    """Append `lost` for every session that is gone for certain: its place knows, and says so."""
    fold = ledger.refresh()
    gone = [session for session in fold.open if _life(context, session) is Life.GONE]
    if gone:
        lease.require_whole(ledger)  # an entry in the place of one that was cut off would make the loss final
    for session in gone:
        fold = _append_lost(ledger, session, "its process is gone")
    return fold


def _continue(context: Context, ledger: Ledger, where: Place, say: Callable[[str], object], *, by_user: bool) -> Fold:
    with where.backend.launching(ledger.run):
        fold = bury(context, ledger)
        for session in fold.open:
            if session.backend == where.backend.name and session.by is None:
                if not (by_user and fold.stop):
                    return _launch(context, ledger, where, session.number)
                _give_up(context, ledger, where, session)
                continue
            if _life(context, session) is Life.ALIVE:
                say(f"session {session.number} is alive on {session.backend}")
                return fold
            say(
                f"session {session.number} does not answer, which does not mean that it is gone: the new one watches it"
            )
        return _launch(context, ledger, where, _intend(ledger, where, by_user=by_user))


def _until_stopped(context: Context, ledger: Ledger, say: Callable[[str], object]) -> Fold:
    """When a session is alive and has been asked to stop, wait for its last checkpoint."""
    fold = bury(context, ledger)
    told = False
    while fold.stopping and any(_life(context, session) is Life.ALIVE for session in fold.open):
        if not told:
            say("a session is on its way to stop; waiting for it")
        told = True
        context.sleep(1.0)
        fold = bury(context, ledger)
    return fold


def _give_up(context: Context, ledger: Ledger, where: Place, session: OpenSession) -> None:
    """End a number that the stop keeps from beginning: the user's word ends the stop with the next number.

    One that is on its way is left alone: it sees the stop and reports, or sees the new intent and begins.
    """
    if where.backend.look_up(order(context, ledger.run, session.number, where.gpu)) is None:
        _append_lost(ledger, session, "the run was stopped before it began")


def _intend(ledger: Ledger, where: Place, *, by_user: bool) -> int:
    """Ask for the next number. Of two commands that do so at once, one sees the other's and joins it."""
    first = ledger.fold.newest + 1

    def decide(fold: Fold) -> Wish | None:
        if fold.newest >= first:
            return None
        if fold.finished or fold.cancel or (fold.stop and not by_user):
            raise JobError(f'run "{ledger.run}" is {fold.state} since', hint=f"facegan-job status {ledger.run}")
        body: Json = {"session": first, "backend": where.backend.name, "gpu": where.gpu, "resume": by_user}
        return Wish(kind="intent", body=body)

    ledger.append(decide)
    return first


def _launch(context: Context, ledger: Ledger, where: Place, number: int) -> Fold:
    """Start the session, or find it started, and write down its ref."""
    ref = where.backend.submit(order(context, ledger.run, number, where.gpu))

    def decide(fold: Fold) -> Wish | None:
        session = fold.session(number)
        if session is None or session.ref is not None:
            return None
        return Wish(kind="launched", body={"session": number, "ref": ref})

    return ledger.append(decide)


def _life(context: Context, session: OpenSession) -> Life:
    """Positive evidence, or none. The lease names the process itself; before it, the ref does."""
    if session.backend not in BACKENDS and session.backend != BY_HAND:
        return Life.UNKNOWN
    if session.machine and session.backend in {"local", BY_HAND}:
        return life(session.machine)
    if session.ref is None or session.backend == BY_HAND:
        return Life.UNKNOWN
    return open_backend(session.backend, context.settings).life(session.ref)


def _append_lost(ledger: Ledger, session: OpenSession, why: str) -> Fold:
    def decide(fold: Fold) -> Wish | None:
        now = fold.session(session.number)
        if now is None or now.by != session.by:
            return None  # it has ended, or begun, since the evidence was taken
        return Wish(kind="lost", body={"session": session.number, "why": why})

    return ledger.append(decide)


def _extend(ledger: Ledger, steps: int) -> None:
    def decide(fold: Fold) -> Wish | None:
        if fold.steps == steps:
            return None
        if fold.steps > steps:
            raise BadInputError(
                f'run "{ledger.run}" is {fold.steps:,} steps long, and can only be made longer than that, not "{steps}"'
            )
        if fold.cancel:
            raise JobError(f'run "{ledger.run}" is cancelled, which is final')
        return Wish(kind="extended", body={"steps": steps})

    ledger.append(decide)
