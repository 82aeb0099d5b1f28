"""The user's word on a run: stop, cancel, giving up, removal. Each may be given twice, and changes nothing then.

A session hears `stop` and `cancel` through the store. After a `cancel`, `end` sees to it that each ends at its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facegan import layout, lease
from facegan.errors import BadInputError, DamagedError, FaceganError
from facegan.ledger import FINAL, Fold, Ledger, Wish
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs import launch, orders, sweeping
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Backend
from jobs.carrying.freezing import require_here
from jobs.context import Context
from jobs.errors import JobError
from jobs.losing import append_lost, forgo
from jobs.refusals import Refusal

LOOK_EVERY_S = 1.0
BEATS = 2.0  # in which a session hears a word, if it hears any
ENDED_S = 15.0  # in which a place shows that a session it was told to end has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A session that may live on, why, and what the user can do."""

    session: int
    backend: str
    why: str
    hint: str


def stop(context: Context, ledger: Ledger) -> Fold:
    """Append `stop`. It holds until the user resumes the run."""

    def decide(fold: Fold) -> Wish | None:
        if fold.stop or fold.state in FINAL:
            return None
        require_here(fold)
        return Wish(kind="stop", body={})

    lease.require_whole(ledger)
    if ledger.fold.carried:
        launch.bury(context, ledger)  # it may have ended
    ledger.append(decide)
    return launch.bury(context, ledger)


def cancel(context: Context, ledger: Ledger, *, delete: bool = False) -> Fold:
    """Append `cancel`. It is final. A session on a copy of the run is ended first: it would hear nothing.

    Raises:
        FaceganError: there is such a session, and it cannot be ended from here; nothing was appended.
    """

    def decide(fold: Fold) -> Wish | None:
        return None if fold.state in FINAL or fold.carried is not None else Wish(kind="cancel", body={})

    lease.require_whole(ledger)
    while True:
        if (session := launch.bury(context, ledger).carried) is not None:
            _end_copy(context, ledger, session, delete=delete)
        if ledger.append(decide).state in FINAL:  # else a copy was sent away meanwhile
            return launch.bury(context, ledger)


def _end_copy(context: Context, ledger: Ledger, session: OpenSession, *, delete: bool) -> None:
    """End a session on a copy for certain. What it had left by then is brought home.

    It is waited for until that is known to be all, or nothing; with `delete`, what is not there at once is given up.
    The crash argument: it is ended at its place before anything is appended, and its place is asked each time anew.
    """
    place = open_backend(session.backend, context.settings, host=session.host)
    try:
        place.cancel(session.ref or {}, delete=delete)
    except Refusal as error:
        without = f"or, without what it makes: facegan-job cancel {ledger.run} --give-up {session.number}"
        raise JobError(error.message, hint=f"{error.hint}; {without}" if error.hint else without) from error
    deadline = context.clock() + ENDED_S
    while (now := launch.bury(context, ledger).carried) is not None:
        if delete and _give_up_copy(context, ledger, place, now):
            return
        if context.clock() >= deadline:
            raise JobError(
                f"session {now.number} is told to end, on {now.backend}, and what it made is not all there yet",
                hint=f"the same again in a minute: facegan-job cancel {ledger.run}",
            )
        context.sleep(LOOK_EVERY_S)


def _give_up_copy(context: Context, ledger: Ledger, place: Backend, session: OpenSession) -> bool:
    """Whether it could be: none of that name lives, and no command is about to send it."""
    with place.ending(ledger.run) as is_free:
        if not is_free or place.look_up(orders.order(context, ledger.run, session)) is not None:
            return False
        append_lost(ledger, session, "the run was cancelled, and what it made is not at its place")
        return True


def give_up(context: Context, ledger: Ledger, number: int, say: Callable[[str], object]) -> Fold:
    """End the number of a session on a copy without what it makes there: its place does not answer, and may never.

    The run goes on from what is at home, which takes what can be brought home first. Of a number that has ended it is
    no error.

    Raises:
        BadInputError: there is no such session, or it is known to live.
        JobError: another command is launching it, or bringing it home.
    """
    lease.require_whole(ledger)
    session = launch.bury(context, ledger).session(number)
    if session is None:
        if number > ledger.fold.newest:
            raise BadInputError(f'the run has no session "{number}"', hint=f"facegan-job status {ledger.run}")
        say(f"session {number} has ended, and there is nothing of it to give up")
        return ledger.fold
    _require_silent_copy(context, ledger, session)
    fold = forgo(ledger, open_backend(session.backend, context.settings, host=session.host), session)
    if fold.end is None or fold.end.kind != "lost":
        say(f"session {number} was on its way home, and has been brought")
        return fold
    left = f"checkpoint {fold.good[-1][1]:,}" if fold.good else "step 0"
    say(
        f"session {number} is given up: what it made on {session.backend} will not become part of the run, even if it "
        f"comes to light; the run is at {left}"
    )
    return fold


def _require_silent_copy(context: Context, ledger: Ledger, session: OpenSession) -> None:
    if not session.carried:
        raise BadInputError(
            f'session "{session.number}" is not on a copy of the run: it has made nothing that is not here',
            hint=f"facegan-job stop {ledger.run}",
        )
    if launch.fate(context, session).life is Life.ALIVE:
        there = (session.ref or {}).get("url", session.backend)
        raise BadInputError(
            f'session "{session.number}" is alive on {session.backend}',
            hint=f"end it on {there}, and facegan-job resume {ledger.run} brings home what it left",
        )


def end(context: Context, ledger: Ledger, say: Callable[[str], object], *, delete: bool = False) -> Sequence[Left]:
    """End every open session at its place, once it had the time to hear the word and to make its last checkpoint.

    The crash argument: what is open is asked of the ledger, and whether it lives of its place, each time anew. Killed
    anywhere and repeated, it finds what is left to end. `delete` ends also where the place then forgets the session.
    """
    fold = _heard(context, ledger, say)
    left = [found for session in fold.open if (found := _ended(context, ledger, session, delete=delete))]
    named = {found.session for found in left}
    deadline = context.clock() + ENDED_S
    while fold.open and {session.number for session in fold.open} - named and context.clock() < deadline:
        fold = launch.bury(context, ledger)
        if fold.open:
            context.sleep(LOOK_EVERY_S)
    sweeping.sweep(context, ledger)
    return left


def _heard(context: Context, ledger: Ledger, say: Callable[[str], object]) -> Fold:
    """Wait for sessions that have begun, as long as a last checkpoint may take. Others have nothing to lose."""
    fold = launch.bury(context, ledger)
    began = [session for session in fold.open if session.by is not None]
    if not began:
        return fold
    grace_s = orders.order(context, ledger.run, began[-1], fold.upload_s).grace_s
    deadline = context.clock() + BEATS * ledger.created().session.heartbeat_s + grace_s
    say(f"session {began[-1].number} may take up to {deadline - context.clock():.0f} s for its last checkpoint")
    while any(session.by is not None for session in fold.open) and context.clock() < deadline:
        context.sleep(LOOK_EVERY_S)
        fold = launch.bury(context, ledger)
    return fold


def _ended(context: Context, ledger: Ledger, session: OpenSession, *, delete: bool) -> Left | None:
    """End one session at its place, or say what keeps it from being ended."""
    try:
        _end(context, ledger, session, delete=delete)
    except FaceganError as error:
        return Left(session=session.number, backend=session.backend, why=error.message, hint=error.hint or "")
    return None


def _end(context: Context, ledger: Ledger, session: OpenSession, *, delete: bool) -> None:
    """The lease names the process itself, the ref what the place made for it; before both, the place is asked."""
    if session.machine and session.backend in {launch.LOCAL, launch.BY_HAND}:
        open_backend(launch.LOCAL, context.settings).cancel(session.machine)
        return
    if session.backend not in BACKENDS:
        raise BadInputError(f'nothing is known of "{session.backend}" here', hint="end the session where it runs")
    place = open_backend(session.backend, context.settings, host=session.host)
    ref = session.ref or place.look_up(orders.order(context, ledger.run, session))
    if ref is not None:
        place.cancel(ref, delete=delete)
    elif session.by is None:
        append_lost(ledger, session, "the run was cancelled before it began")


def remove(context: Context, ledger: Ledger) -> int:
    """Delete the run and all it committed; the number of objects.

    What its sessions left at their places goes before anything else: the ledger says where that is. The crash
    argument: the ledger goes last, from its second entry on; its first and its newest go at the very end. What a
    killed removal leaves is thus either the whole ledger, without which nothing begins at step 0 that ever had a
    checkpoint, or one with a gap, on which no session begins and no entry follows. It is seen as damaged, and can be
    removed again.

    Raises:
        JobError: a session is open.
    """
    _require_closed(context, ledger)
    with contextlib.suppress(DamagedError):
        sweeping.sweep(context, ledger)
    keys = list(context.store.list(layout.run(ledger.run)))
    entries = [key for key in keys if key.startswith(layout.ledger(ledger.run))]
    rest = [key for key in keys if not key.startswith(layout.ledger(ledger.run))]
    for key in [*rest, *entries[1:-1], *entries[:1], *entries[1:][-1:]]:
        context.store.delete(key)
    return len(keys)


def _require_closed(context: Context, ledger: Ledger) -> None:
    try:
        fold = launch.bury(context, ledger)
    except DamagedError:
        return  # what a killed removal leaves, or a run beyond help: no session can begin on it
    if fold.open:
        raise JobError(
            f'run "{ledger.run}" has an open session, {fold.open[-1].number}', hint=f"facegan-job cancel {ledger.run}"
        )
