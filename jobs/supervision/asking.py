"""Asking a place for one session, and after it: what `launch` has for the user's commands, for one who only watches.

Unlike a command, a watch starts nothing beside a number that has not ended, and never ends a stop.
"""

from __future__ import annotations

from collections.abc import Callable

from facegan import lease
from facegan.errors import FaceganError
from facegan.ledger import Fold, Ledger, Wish
from facegan.ledger.fold import OpenSession
from jobs import launch, orders
from jobs.backends import BACKENDS
from jobs.context import Context
from jobs.losing import append_lost


def begin(context: Context, ledger: Ledger, where: orders.Place, number: int, say: Callable[[str], object]) -> Fold:
    """Launch the session of this number, which was asked of `where`, or find that it was launched."""
    lease.require_whole(ledger)
    with where.backend.launching(ledger.run):
        session = ledger.refresh().session(number)
        if session is None or not launch.is_to_begin(session, where) or session.ref is not None:
            return ledger.fold  # another command was first
        return launch.start(context, ledger, where, session, say)


def ask(context: Context, ledger: Ledger, where: orders.Place, number: int, say: Callable[[str], object]) -> Fold:
    """Ask `where` for the session of this number and launch it, unless somebody has asked for any since.

    Of two who decide that at once, the second finds the first one's intent, and launches nothing: the law takes each
    number once. The crash argument: killed after the intent, the number stands, and is `begin`'s.
    """
    lease.require_whole(ledger)
    asked = orders.following(ledger, where, number)
    mine: list[bool] = []

    def decide(fold: Fold) -> Wish | None:
        mine.clear()  # it is asked again only when another's entry stands where the intent was to be
        if fold.newest >= number or fold.open or fold.finished or fold.cancel or fold.stop:
            return None
        mine.append(True)
        return Wish(kind="intent", body=orders.intent(asked, where, by_user=False))

    with where.backend.launching(ledger.run):
        fold = ledger.append(decide)
        session = fold.session(number)
        return launch.start(context, ledger, where, session, say) if mine and session is not None else fold


def is_known(context: Context, ledger: Ledger, session: OpenSession) -> bool | None:
    """Whether its place knows a session by its name, by which it is asked; `None` when it does not answer."""
    if session.backend not in BACKENDS or (session.backend == "local" and session.ref is not None):
        return None  # another machine's processes are not known here: that says nothing
    try:
        return launch.opened(context, session).look_up(orders.order(context, ledger.run, session)) is not None
    except FaceganError:
        return None


def declare_lost(ledger: Ledger, number: int, why: str) -> Fold:
    """Append `lost` for a session of which there is evidence, unless it has ended, or begun, since that was taken."""
    session = ledger.fold.session(number)
    if session is None:
        return ledger.fold
    lease.require_whole(ledger)  # an entry in the place of one that was cut off would make the loss final
    return append_lost(ledger, session, why)
