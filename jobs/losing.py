"""How a number ends whose session does not say so itself: what it did on a copy is brought home, or it is lost."""

from __future__ import annotations

from contextlib import nullcontext

from facegan import layout
from facegan.ledger import Fold, Ledger, Wish
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs.backends.base import Backend, Order
from jobs.carrying.bringing import bring, kept
from jobs.carrying.spoilt import SpoiltError
from jobs.errors import JobError
from jobs.refusals import Uncertain

FORGONE = "its user gave up what it made"


def append_lost(ledger: Ledger, session: OpenSession, why: str) -> Fold:
    """End a number on positive evidence that its session is gone, or will never begin."""

    def decide(fold: Fold) -> Wish | None:
        now = fold.session(session.number)
        if now is None or now.by != session.by:
            return None  # it has ended, or begun, since the evidence was taken
        return Wish(kind="lost", body={"session": session.number, "why": why})

    return ledger.append(decide)


def bring_home(ledger: Ledger, place: Backend, session: OpenSession, why: str) -> Fold:
    """Take what an ended session has added to its copy. It is lost if that is nothing for certain, or has no report."""
    url = layout.run_url(ledger.store.url, ledger.run)
    try:
        left = kept(ledger, session.number) or place.left(
            Order(run=ledger.run, run_url=url, number=session.number, carried=True)
        )
        if left is not None:
            bring(ledger, session.number, left)
    except Uncertain:
        return ledger.fold
    except SpoiltError as error:
        why = f"what it made cannot be taken: {error.message}"
    now = ledger.refresh().session(session.number)
    return ledger.fold if now is None else append_lost(ledger, now, why)


def end_carried(ledger: Ledger, place: Backend, session: OpenSession, *, is_held: bool) -> Fold:
    """Bring home what it left, unless a command is launching it; `is_held`: that is this one.

    The crash argument: its ref is older than its kernel, which appears when all is uploaded. So that its place does not
    know it is believed by whoever keeps others from launching it, and looks once more after that.
    """
    with nullcontext(enter_result=True) if is_held else place.ending(ledger.run) as is_free:
        found = place.fate(session.ref or {}) if is_free else None
        if found is None or found.life is not Life.GONE:
            return ledger.refresh()
        return bring_home(ledger, place, session, found.why)


def forgo(ledger: Ledger, place: Backend, session: OpenSession) -> Fold:
    """End a number without what its session makes on its copy: by the user's word, whatever its place says, or never.

    The crash argument: what is kept at home, because a command was killed while it brought it, is taken first, or the
    run would name states that exist nowhere. What comes later finds `lost` where its first entry has to be.

    Raises:
        JobError: another command is launching it, or bringing it home.
    """
    with place.ending(ledger.run) as is_free:
        if not is_free:
            raise JobError(
                f"another command is sending session {session.number} on its way, or bringing it home",
                hint="the same again when that has ended",
            )
        if kept(ledger, session.number) is not None:
            return bring_home(ledger, place, session, FORGONE)
        now = ledger.refresh().session(session.number)
        return ledger.fold if now is None else append_lost(ledger, now, FORGONE)
