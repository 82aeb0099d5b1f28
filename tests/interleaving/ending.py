"""What must hold where a history ends, of the store alone."""

from __future__ import annotations

import itertools
from functools import cache

from facegan import layout
from facegan.errors import SessionExit
from facegan.history import History
from facegan.ledger import Ledger, Writer
from facegan.storage.memory import MemoryStore
from facegan.verify import verify
from facegan.worker import run_session
from tests.interleaving.carried import given_up, taken_home
from tests.interleaving.program import WALL_S, created, resume, surroundings, toy_experiment
from tests.interleaving.world import RUN, Alone, Violation


def _ledger(store: MemoryStore, name: str) -> Ledger:
    tries = itertools.count()
    return Ledger(store, RUN, Writer(holder=name, wall_s=lambda: WALL_S, new_id=lambda: f"{name}.{next(tries)}"))


def require_good_end(objects: dict[str, bytes]) -> None:
    """The run verifies, and one more session, alone, brings it to its end: the bytes of an untouched run.

    One whose copy is still away is brought home first, or given up. A run that the user stopped goes on only by the
    user's word, a cancelled or finished one not at all.

    Raises:
        Violation: something of that does not hold.
    """
    store = MemoryStore()
    store.objects = dict(objects)
    ledger = _ledger(store, "reader")
    _require_verified(ledger, "where it ended")
    fold = ledger.refresh()
    if fold.carried is not None:
        for settled in (taken_home, given_up):
            require_good_end(settled(objects, fold.carried))
        return
    number = None
    if fold.finished or fold.cancel:
        _require_idle(store, SessionExit.FINISHED if fold.finished else SessionExit.INTERRUPTED)
    elif fold.stop:
        _require_idle(store, SessionExit.INTERRUPTED)
        resume(Alone("user-end", store), _ledger(store, "user-end"))
        number = ledger.refresh().newest
    if not (fold.finished or fold.cancel):
        _require_finishes(store, number)
    if not fold.cancel or fold.finished:
        _require_untouched(ledger)


def _run(store: MemoryStore, name: str, number: int | None) -> tuple[SessionExit, Alone]:
    desk = Alone(name, store)
    return run_session(surroundings(desk, store, number, beats=False)), desk


def _require_idle(store: MemoryStore, expected: SessionExit) -> None:
    """A session that is not wanted says so, and changes nothing."""
    before = dict(store.objects)
    code, desk = _run(store, "unwanted", None)
    if code != expected or store.objects != before:
        raise Violation(f"an unwanted session ended with {code!r}, not {expected!r}, or wrote: {desk.said}")


def _require_finishes(store: MemoryStore, number: int | None) -> None:
    code, desk = _run(store, "fresh", number)
    if code != SessionExit.FINISHED:
        raise Violation(f"a fresh session, alone, does not finish the run: {code!r} {desk.said}")
    _require_verified(_ledger(store, "reader"), "after a fresh session")


def _require_verified(ledger: Ledger, when: str) -> None:
    verdict = verify(ledger)
    if verdict.wrong or verdict.known:
        raise Violation(f"{when}, verify finds {[*verdict.wrong, *verdict.known]}")


def _require_untouched(ledger: Ledger) -> None:
    found, wanted = _product(ledger), _untouched(ledger.refresh().steps)
    if found != wanted:
        raise Violation(f"the run's end differs from an untouched run's: {found}, not {wanted}")


def _product(ledger: Ledger) -> tuple[bytes, list[object]]:
    """The final state and every committed point."""
    history = History(ledger=ledger)
    entries = [*history.checkpoints()]
    points: list[object] = [point for entry in entries for point in history.points(entry)]
    return ledger.store.get(entries[-1].body["key"] + layout.STATE), points


@cache
def _untouched(steps: int) -> tuple[bytes, list[object]]:
    store = MemoryStore()
    store.objects = created(toy_experiment(steps), submitted=False)
    run_session(surroundings(Alone("untouched", store), store, None, beats=False))
    return _product(_ledger(store, "reader"))
