"""Starting sessions: `submit` and `resume`.

Both are idempotent by (run, session number), and safe to kill anywhere: the `intent` comes first, and
two commands race for it; the session is then looked up by its name before it is created; `launched`
comes last and only saves the next command the look-up. A place that refuses ends the number, which was never
leased; one that does not answer ends nothing, and is asked for the session by its name the next time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from facegan import layout, lease
from facegan.accounts import Credentials, has_account
from facegan.errors import BadInputError
from facegan.experiment import Experiment, Json
from facegan.ledger import Fold, Ledger, State, Wish
from facegan.ledger.fold import OpenSession
from facegan.process import Life, life
from jobs import credentials, orders, recipe, sweeping
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Backend, Fate, Hand
from jobs.carrying.freezing import require_here, without
from jobs.carrying.packing import Luggage
from jobs.context import Context
from jobs.errors import JobError
from jobs.losing import append_lost, end_carried
from jobs.orders import Place
from jobs.refusals import Refusal, Uncertain, append_refused

LOCAL = "local"
BY_HAND = "hand"  # the backend of a session that nobody launched: `python -m facegan run`, typed


def create(context: Context, run: str, chosen: Experiment, images: int | None = None) -> Ledger:
    """Begin the run, or find that it was begun with the same content before.

    Raises:
        BadInputError: the id is taken by a run with other content.
    """
    ledger = context.ledger(run)
    body = recipe.created_body(run, chosen, images)
    if not ledger.create(body):
        _require_same(run, ledger.entry(0).body, body)
    return ledger


def require_free(context: Context, run: str, body: Json) -> None:
    """Refuse an id that `create` would refuse, and begin nothing.

    Raises:
        BadInputError: the id is taken by a run with other content.
    """
    if next(context.store.list(layout.entry(run, 0)), None) is not None:
        _require_same(run, context.ledger(run).entry(0).body, body)


def _require_same(run: str, there: Json, body: Json) -> None:
    is_open = there["experiment"]["data"]["digest"] is None
    if recipe.content(there, is_open=is_open) != recipe.content(body, is_open=is_open):
        raise BadInputError(
            f'there is a run "{run}" already, with other content',
            hint=f"choose another --name, or: facegan-job status {run}",
        )


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
    fold = _until_stopped(context, ledger, where, say)
    if fold.state is State.CANCELLED:
        raise JobError(f'run "{ledger.run}" is cancelled, which is final', hint="facegan-job submit starts a new run")
    if fold.state is State.FINISHED:
        raise JobError(
            f'run "{ledger.run}" is finished: all {fold.steps:,} steps are committed',
            hint=f"facegan-job resume {ledger.run} --steps {2 * fold.steps} trains it on",
        )
    return _continue(context, ledger, where, say, by_user=True)


def bury(context: Context, ledger: Ledger, where: Place | None = None, *, holds: bool = False) -> Fold:
    """Append `lost` for every session that is gone for certain: its place knows, and says so.

    One that is carried is brought home first. `where` is the place at which the caller is about to begin what has not
    begun; `holds`, whether it holds its `launching`.
    """
    fold = ledger.refresh()
    fates = [(session, fate(context, session)) for session in fold.open]
    gone = [(session, found) for session, found in fates if found.life is Life.GONE]
    if gone:
        lease.require_whole(ledger)  # an entry in the place of one that was cut off would make the loss final
    for session, found in gone:
        if not session.carried:
            fold = append_lost(ledger, session, found.why)
        elif where is None or not (found.missing and is_to_begin(session, where)):
            held = where.backend.name if where is not None and holds else None
            fold = end_carried(ledger, opened(context, session), session, is_held=session.backend == held)
    return fold


def last_words(context: Context, ledger: Ledger) -> str:
    """What the session that ended last printed outside the store."""
    end = ledger.fold.end
    if end is None or end.backend not in BACKENDS:
        return ""
    ended = OpenSession(number=end.session, backend=end.backend, host=end.host)
    return opened(context, ended).last_words(orders.order(context, ledger.run, ended))


def _continue(context: Context, ledger: Ledger, where: Place, say: Callable[[str], object], *, by_user: bool) -> Fold:
    asked = orders.order(context, ledger.run, orders.first(where))
    orders.suited(context, where, asked, ledger.created())  # refused before it is asked for
    with where.backend.launching(ledger.run):
        fold = bury(context, ledger, where, holds=True)
        if fold.end:  # nobody may look there for long
            sweeping.sweep_at(context, ledger, fold.end.backend, fold.end.host)
        for session in fold.open:
            if (session.carried or where.carried) and not _is_to_be_carried(context, fold, session, where, say):
                return fold
            if is_to_begin(session, where):
                if not (by_user and fold.stop):
                    return start(context, ledger, where, session, say)
                _give_up(context, ledger, where, session)
                continue
            if fate(context, session).life is Life.ALIVE:
                say(f"session {session.number} is alive on {session.backend}")
                return fold
            if session.by is None and _is_of(session, where) and not by_user:
                say(f"session {session.number} was started on {session.backend}, and does not answer: it is waited for")
                return fold
            say(
                f"session {session.number} does not answer, which does not mean that it is gone: the new one watches it"
            )
        session = _intend(ledger, where, by_user=by_user)
        if not is_to_begin(session, where):
            say(f"session {session.number} was asked of {session.backend} by another command meanwhile")
            return ledger.fold
        return start(context, ledger, where, session, say)


def is_to_begin(session: OpenSession, where: Place) -> bool:
    """Whether a command asked for it, of this very place, and nobody has seen it begin.

    One that has a ref was started, and what became of it is asked by that: not every place knows its name on every
    machine of the user's. The ref of one that is carried says nothing: it was known before.
    """
    is_begun = session.by is not None or session.machine is not None
    return _is_of(session, where) and not is_begun and (session.ref is None or session.carried)


def _is_of(session: OpenSession, where: Place) -> bool:
    return (session.backend, session.host) == (where.backend.name, where.backend.host)


def _is_to_be_carried(
    context: Context, fold: Fold, session: OpenSession, where: Place, say: Callable[[str], object]
) -> bool:
    """Whether to send an open session on its way; no other is asked for while it, or any beside it, may live."""
    found = fate(context, session)
    may_not_be_there = found.life is Life.UNKNOWN or found.missing
    if session.carried and may_not_be_there and is_to_begin(session, where):
        return True
    if found.life is Life.GONE:
        say(f"session {session.number} has ended on {session.backend}, and what it made is not all there yet")
    elif found.life is Life.ALIVE:
        copy = " with a copy of the run, and says nothing here until it has ended" if session.carried else ""
        say(f"session {session.number} is alive on {session.backend}{copy}")
    else:
        say(f"session {session.number} does not answer; none is started beside it, because one of them has a copy")
        if session.carried:
            say(f"hint: to go on without what it makes: {without(fold.run, session.number)}")
    return False


def _until_stopped(context: Context, ledger: Ledger, where: Place, say: Callable[[str], object]) -> Fold:
    """When a session is alive and has been asked to stop, wait for its last checkpoint."""
    fold = bury(context, ledger, where)
    told = False
    while fold.stopping and any(fate(context, session).life is Life.ALIVE for session in fold.open):
        if not told:
            say("a session is on its way to stop; waiting for it")
        told = True
        context.sleep(1.0)
        fold = bury(context, ledger, where)
    return fold


def _give_up(context: Context, ledger: Ledger, where: Place, session: OpenSession) -> None:
    """End a number that the stop keeps from beginning: the user's word ends the stop with the next number.

    One that is on its way is left alone: it sees the stop and reports, or sees the new intent and begins.
    """
    if where.backend.look_up(orders.order(context, ledger.run, session)) is None:
        append_lost(ledger, session, "the run was stopped before it began")


def _intend(ledger: Ledger, where: Place, *, by_user: bool) -> OpenSession:
    """Ask for the next number. Of two commands that do so at once, one sees the other's and joins it."""
    asked = orders.following(ledger, where, ledger.fold.newest + 1)

    def decide(fold: Fold) -> Wish | None:
        if fold.newest >= asked.number:
            return None
        if fold.finished or fold.cancel or (fold.stop and not by_user):
            raise JobError(f'run "{ledger.run}" is {fold.state} since', hint=f"facegan-job status {ledger.run}")
        return Wish(kind="intent", body=orders.intent(asked, where, by_user=by_user))

    return ledger.append(decide).session(asked.number) or asked


def start(context: Context, ledger: Ledger, where: Place, session: OpenSession, say: Callable[[str], object]) -> Fold:
    """Start the session, or find it started, and write down its ref; or that it was refused.

    The crash argument: killed before either entry, the intent stands, and the next command asks the place by name.
    """
    asked = orders.order(context, ledger.run, session, ledger.fold.upload_s)
    asked = orders.suited(context, where, asked, ledger.created())
    luggage = Luggage(ledger=ledger) if session.carried else None
    asked = dataclasses.replace(
        asked, luggage=luggage, is_open=lambda: ledger.refresh().session(session.number) is not None
    )
    try:
        ref = where.backend.submit(asked, _hand(context, ledger, where, say))
    except Uncertain:
        raise
    except Refusal as refusal:
        append_refused(ledger, session, refusal)
        raise

    def decide(fold: Fold) -> Wish | None:
        now = fold.session(session.number)
        if now is None or now.ref is not None:
            return None
        return Wish(kind="launched", body={"session": session.number, "ref": ref})

    return ledger.append(decide)


def _hand(context: Context, ledger: Ledger, where: Place, say: Callable[[str], object]) -> Hand:
    def hand() -> Credentials | None:
        if not has_account(context.store.url):
            return None
        longest_s = where.backend.capabilities().session_s
        made = credentials.mint(context, ledger, context.settings.role or None, longest_s)
        for warning in made.warnings:
            say(f"warning: {warning}")
        return made

    return hand


def fate(context: Context, session: OpenSession) -> Fate:
    """Positive evidence, or none. The lease names the process itself; before it, the ref does."""
    if session.machine and session.backend in {LOCAL, BY_HAND}:
        return Fate(life=life(session.machine), why="its process is gone")
    if session.ref is None or session.backend not in BACKENDS:
        return Fate(life=Life.UNKNOWN)
    return opened(context, session).fate(session.ref)


def opened(context: Context, session: OpenSession) -> Backend:
    return open_backend(session.backend, context.settings, host=session.host)


def _extend(ledger: Ledger, steps: int) -> None:
    def decide(fold: Fold) -> Wish | None:
        if fold.steps == steps:
            return None
        require_here(fold)
        if fold.steps > steps:
            raise BadInputError(
                f'run "{ledger.run}" is {fold.steps:,} steps long, and can only be made longer than that, not "{steps}"'
            )
        if fold.cancel:
            raise JobError(f'run "{ledger.run}" is cancelled, which is final')
        return Wish(kind="extended", body={"steps": steps})

    ledger.append(decide)
