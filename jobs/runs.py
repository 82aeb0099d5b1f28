"""The runs of a store: finding one by the beginning of its id, and listing them."""

from __future__ import annotations

from collections.abc import Sequence

from facegan import layout
from facegan.errors import BadInputError, DamagedError
from facegan.ledger import Ledger, NoRunError
from jobs import heads
from jobs.context import Context
from jobs.ended import EndedRuns
from jobs.errors import Exit, JobError
from jobs.run import RunView, damaged, view


def find(context: Context, prefix: str, *, checked: bool = True) -> Ledger:
    """The run whose id this is, or the only one whose id begins so. Unless `checked`, it may be damaged.

    Raises:
        NoRunError: there is none.
        BadInputError: several begin so; names them.
        CutOffError: its ledger lacks what this machine has seen of it.
    """
    ledger = _find(context, prefix, checked=checked)
    if checked and ledger.fold:
        found = heads.look(heads.Heads(context.settings.home, context.store.url), ledger)
        if found is not None:
            raise CutOffError(
                f'the ledger entry "{found.object}" {found.how}',
                hint="restore it from a copy of the store; or take the ledger as it is: "
                f"facegan-job verify {ledger.run} --accept",
            )
    return ledger


class CutOffError(JobError):
    """A ledger lacks an entry that this machine has seen."""

    exit = Exit.INTEGRITY


def _find(context: Context, prefix: str, *, checked: bool) -> Ledger:
    layout.check_run_id(prefix)
    make_home(context)
    exact = context.ledger(prefix)
    try:
        exact.refresh()
    except NoRunError:
        pass
    except DamagedError:
        if checked:
            raise
        return exact
    else:
        return exact
    begins = [name for name in context.store.folders(layout.RUNS) if name.startswith(prefix)]
    if not begins:
        raise NoRunError(f'there is no run "{prefix}" in {context.store.url}', hint="facegan-job ps lists the runs")
    if len(begins) > 1:
        raise BadInputError(f'"{prefix}" begins the id of {len(begins)} runs', hint=", ".join(begins[:8]))
    return context.ledger(begins[0])


def make_home(context: Context) -> None:
    """On a new machine there is no FACEGAN_HOME: an empty one says "no runs", where none says nothing."""
    try:
        context.settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(
            f'FACEGAN_HOME, "{context.settings.home}", cannot be made: {error.strerror}',
            hint="set it to a folder of yours",
        ) from error


def look(context: Context, run: str) -> RunView:
    """How one run is now."""
    return view(context.ledger(run), context.writer.wall_s())


def names(context: Context) -> list[str]:
    """The ids of all runs in the store: one listing."""
    return list(context.store.folders(layout.RUNS))


def live(context: Context) -> list[RunView]:
    """Every run that is not over, read afresh; those found over are remembered and left out from now on."""
    make_home(context)
    ended = EndedRuns(context.settings.home, context.store.url)
    there, known = names(context), ended.names()
    for removed in known.difference(there):
        ended.forget(removed)
    now = context.writer.wall_s()
    views = [_view(context, name, now) for name in there if name not in known]
    read = [found for found in views if found is not None]
    ended.remember([found.to_json() for found in read if found.over])
    return sorted((found for found in read if not found.over), key=lambda found: -found.at)


def ended(context: Context, count: int | None) -> Sequence[dict[str, object]]:
    """The runs that ended last, the newest first."""
    return EndedRuns(context.settings.home, context.store.url).newest(count)


def _view(context: Context, name: str, now: float) -> RunView | None:
    try:
        return view(context.ledger(name), now)
    except NoRunError:  # a folder without a ledger: a create that was killed
        return None
    except DamagedError as error:  # one that cannot be read hides no other
        return damaged(name, error.message, now)
