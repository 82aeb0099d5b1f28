"""The user's word on a run: stop, cancel, removal. Each may be given twice, and changes nothing then."""

from __future__ import annotations

from facegan import layout, lease
from facegan.errors import DamagedError
from facegan.ledger import FINAL, Fold, Ledger, Wish
from jobs import launch
from jobs.context import Context
from jobs.errors import JobError


def stop(context: Context, ledger: Ledger) -> Fold:
    """Append `stop`. It holds until the user resumes the run."""

    def decide(fold: Fold) -> Wish | None:
        return None if fold.stop or fold.state in FINAL else Wish(kind="stop", body={})

    lease.require_whole(ledger)
    ledger.append(decide)
    return launch.bury(context, ledger)


def cancel(context: Context, ledger: Ledger) -> Fold:
    """Append `cancel`. It is final."""

    def decide(fold: Fold) -> Wish | None:
        return None if fold.state in FINAL else Wish(kind="cancel", body={})

    lease.require_whole(ledger)
    ledger.append(decide)
    return launch.bury(context, ledger)


def remove(context: Context, ledger: Ledger) -> int:
    """Delete the run and all it committed; the number of objects.

    The crash argument: the ledger goes last, from its second entry on; its first and its newest go at the
    very end. What a killed removal leaves is thus either the whole ledger, without which nothing begins at
    step 0 that ever had a checkpoint, or one with a gap, on which no session begins and no entry follows. It
    is seen as damaged, and can be removed again.

    Raises:
        JobError: a session is open.
    """
    _require_closed(context, ledger)
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
