"""What `submit` would send, for `--dry-run`: the entries that it would append, and the order for the session."""

from __future__ import annotations

from facegan import layout
from facegan.experiment import Experiment, Json
from facegan.ledger import Ledger, NoRunError
from facegan.ledger.fold import OpenSession
from jobs import launch, orders
from jobs.carrying import packing
from jobs.context import Context
from jobs.orders import Place


def what_would_be_sent(context: Context, where: Place, chosen: Experiment, created: Json) -> Json:
    """Exactly that, as of now; of a run that was begun before, it is its next session. Sends nothing.

    Raises:
        BadInputError: the place cannot run it; says why.
    """
    ledger = context.ledger(str(created["run"]))
    session, entries, upload_s = _next(ledger, where)
    asked = orders.order(context, ledger.run, session, upload_s)
    shown = {
        "store": context.store.url,
        "created": created,
        "intent": orders.intent(session, where, by_user=False),
        "session": where.backend.command(orders.suited(context, where, asked, chosen)),
    }
    if session.carried:
        shown["luggage"] = {"entries": entries, "objects": packing.listed(ledger, chosen.data)}
    return shown


def _next(ledger: Ledger, where: Place) -> tuple[OpenSession, Json, float]:
    """The session that would be sent; which entries would be appended before, by key; how long uploads took."""
    try:
        fold = ledger.refresh()
    except NoRunError:
        entries = {layout.entry(ledger.run, 0): "created", layout.entry(ledger.run, 1): "intent"}
        return orders.following(ledger, where, 1), entries, 0.0
    for session in fold.open:
        if launch.is_to_begin(session, where):
            return session, {}, fold.upload_s
    asked = orders.following(ledger, where, fold.newest + 1)
    return asked, {layout.entry(ledger.run, ledger.seq + 1): "intent"}, fold.upload_s
