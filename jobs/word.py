"""The user's word on a run: stop, cancel, removal. Each may be given twice, and changes nothing then."""

from __future__ import annotations

from facegan import layout
from facegan.ledger import FINAL, Fold, Ledger, Wish
from jobs import launch
from jobs.context import Context
from jobs.errors import JobError


def stop(context: Context, ledger: Ledger) -> Fold:
    """Append `stop`. It holds until the user resumes the run."""

    def decide(fold: Fold) -> Wish | None:
        return None if fold.stop or fold.state in FINAL else Wish(kind="stop", body={})

    ledger.append(decide)
    return launch.bury(context, ledger)


def cancel(context: Context, ledger: Ledger) -> Fold:
    """Append `cancel`. It is final."""

    def decide(fold: Fold) -> Wish | None:
        return None if fold.state in FINAL else Wish(kind="cancel", body={})

    ledger.append(decide)
    return launch.bury(context, ledger)


def remove(context: Context, ledger: Ledger) -> int:
    """Delete the run and all it committed; the number of objects.

    The crash argument: the ledger goes last, and its first entry last of all, so that a removal that was
    killed leaves a run that can be seen and removed again; and no session can begin on what is left,
    because a run whose checkpoints are gone refuses to start again from step 0.

    Raises:
        JobError: a session is open.
    """
    fold = launch.bury(context, ledger)
    if fold.open:
        raise JobError(
            f'run "{ledger.run}" has an open session, {fold.open[-1].number}', hint=f"facegan-job cancel {ledger.run}"
        )
    keys = list(context.store.list(layout.run(ledger.run)))
    entries = [key for key in keys if key.startswith(layout.ledger(ledger.run))]
    rest = [key for key in keys if not key.startswith(layout.ledger(ledger.run))]
    for key in [*rest, *reversed(entries)]:
        context.store.delete(key)
    return len(keys)
