"""Machines of ours that no session owns: found by their marks at every place where they may be, and removed.

The crash argument. A number is in its run's ledger before its machine is asked for, and a ledger is read after its
machine was listed: so the number of a listed machine is known. A number that has ended never leases or commits again,
so ending its machine loses nothing; should that take the next number in the same moment, the session is cut short as
by a place that takes its machine back. Nothing is remembered: cut off anywhere and done again, what is left is found.
Of a store that cannot be read, nothing is concluded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from facegan import layout
from facegan.errors import FaceganError
from facegan.ledger import Fold, NoRunError
from jobs import loopback
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import SPARED_S, Found, digest
from jobs.context import Context

Complain = Callable[[FaceganError], object]


class Owner(StrEnum):
    """Whose a machine is."""

    SESSION = "a session's"
    LEAVING = "about to go"
    NOBODY = "nobody's"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A machine, whose it is, and why that is so."""

    backend: str
    host: str | None
    found: Found
    owner: Owner
    why: str


def hosts(context: Context, complain: Complain) -> list[tuple[str, str | None]]:
    """Where machines of ours may be, as far as this machine knows without its runs."""
    there: list[tuple[str, str | None]] = []
    for name in BACKENDS:
        try:
            there += [(name, host) for host in open_backend(name, context.settings).hosts()]
        except FaceganError as error:
            complain(error)
    return there


def of_runs(folds: Iterable[Fold]) -> list[tuple[str, str | None]]:
    """Where sessions of these runs are, and where each run's last one was."""
    there = []
    for fold in folds:
        there += [(session.backend, session.host) for session in fold.open]
        there += [(fold.end.backend, fold.end.host)] if fold.end else []
    return [(backend, host) for backend, host in there if backend in BACKENDS]


def survey(context: Context, places: Iterable[tuple[str, str | None]], complain: Complain) -> list[Judged]:
    """The machines of ours at these places, each once, and whose they are.

    What does not answer is passed on, and the next place asked.
    """
    found: list[Judged] = []
    for backend, host in dict.fromkeys(places):
        try:
            machines = open_backend(backend, context.settings, host=host).machines()
        except FaceganError as error:
            complain(error)
            continue
        known = [each.found.ref for each in found]
        found += [judge(context, backend, host, machine) for machine in machines if machine.ref not in known]
    return found


def judge(context: Context, backend: str, host: str | None, found: Found) -> Judged:
    """Whose it is, by the ledger of its run: read now, after the machine was listed."""
    owner, why = _by_store(context, backend, found)
    return Judged(backend=backend, host=host, found=found, owner=owner, why=why)


def end(context: Context, judged: Iterable[Judged], complain: Complain) -> list[Judged]:
    """End those that are nobody's; those that were ended."""
    gone = []
    for each in judged:
        if each.owner is Owner.NOBODY:
            try:
                open_backend(each.backend, context.settings, host=each.host).cancel(each.found.ref)
            except FaceganError as error:
                complain(error)
            else:
                gone.append(each)
    return gone


def _by_store(context: Context, backend: str, found: Found) -> tuple[Owner, str]:
    url = context.store.url
    try:
        if digest(layout.run_url(url, found.run)) != found.digest:
            return Owner.UNKNOWN, f"its run is not one of {url}"
        owner, why = _by_run(context.ledger(found.run).refresh(), backend, found)
    except NoRunError:
        if (variable := _redirected(url, os.environ)) is not None:
            return Owner.UNKNOWN, f"its run is not in the store that {variable} names"
        owner, why = Owner.NOBODY, "its run is not in the store any more"
    except FaceganError as error:
        return Owner.UNKNOWN, error.message
    if owner is Owner.NOBODY and found.age_s <= SPARED_S:
        return Owner.LEAVING, f"{why}, and it may be about to remove itself"
    return owner, why


def _by_run(fold: Fold, backend: str, found: Found) -> tuple[Owner, str]:
    if found.number > fold.newest:
        return Owner.SESSION, "its session is newer than what is known of its run"
    if fold.session(found.number) is not None:
        return Owner.SESSION, "its session has not ended"
    if any(session.backend == backend and session.ref == found.ref for session in fold.open):
        return Owner.SESSION, "it came late for its own number, and has taken the next"
    return Owner.NOBODY, "its session has ended"


def _redirected(url: str, environment: Mapping[str, str]) -> str | None:
    """The variable by which this store is another than the one of that URL that sessions elsewhere see, if any.

    There, a run that is not here may be going on.
    """
    scheme, _, rest = url.partition("://")
    if "endpoint=" in rest.partition("?")[2]:
        return None
    return next((name for name in loopback.VARIABLES.get(scheme, ()) if environment.get(name)), None)
