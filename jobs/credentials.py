"""Credentials for a session on a machine that has none of its own.

A session that `facegan-job` launches here has this machine's credentials. One on somebody else's machine is
handed as little as it needs: made for one run, and good for about as long as the session may last.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from facegan import layout
from facegan.accounts import Credentials, Reach, has_account, open_account
from facegan.errors import FaceganError
from facegan.ledger import Ledger, NoRunError
from facegan.prepared.selection import is_unprepared
from jobs.context import Context

MARGIN_S = 3600.0  # for a session's way to its start: a data set, a queue. Its budget counts from there


def mint(context: Context, ledger: Ledger, role: str | None, session_s: float | None = None) -> Credentials:
    """Credentials that reach this run and the data it reads or has to prepare, for longer than its session's budget.

    No session at its place takes longer than `session_s`, where that is known. One that starts later than is allowed
    for is told when they end, and ends before that.

    The crash argument: the machine notes that it mints before it does, so that what has to be ended is known
    to be there; a note too many costs one question.

    Raises:
        BadInputError: the store needs none, or they cannot last as long as the budget.
        RefusedError: this machine's credentials may not make any.
    """
    account = open_account(context.store.url)
    created = ledger.created()
    data = created.data
    reads = [layout.dataset(data.name, data.digest)] if data.digest else []
    makes = [layout.datasets(data.name)] if is_unprepared(data, context.store) else []
    budget_s = None if created.session.budget_s is None else min(created.session.budget_s, session_s or math.inf)
    note = _note(context, ledger.run)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.touch()
    return account.mint(
        Reach(run=ledger.run, reads=reads, makes=makes),
        lasts_s=None if budget_s is None else budget_s + MARGIN_S,
        role=role,
    )


def revoke(context: Context, run: str) -> bool:
    """End what was minted for the run and does not end by itself; whether there was any."""
    found = open_account(context.store.url).revoke(layout.check_run_id(run))
    _note(context, run).unlink(missing_ok=True)
    return found


def revoke_ended(context: Context, ledger: Ledger) -> None:
    """End what this machine minted for the run, once no session of it is open. What is left then, `doctor` lists."""
    if not has_account(context.store.url) or not _note(context, ledger.run).exists() or ledger.fold.open:
        return
    try:
        revoke(context, ledger.run)
    except FaceganError:
        return


def left_over(context: Context) -> Sequence[str]:
    """The runs without an open session that still have credentials, whoever minted them."""
    return [run for run in open_account(context.store.url).minted() if not _is_open(context, run)]


def script(credentials: Credentials, run_url: str) -> str:
    """A shell script for the other machine: the credentials, then the session.

    No secret of it is an argument of a command, which others on that machine could see; files are their owner's.
    """
    lines = ["#!/bin/sh"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in credentials.environment.items()]
    for name, data in credentials.files.items():
        lines += [f"export {name}=$(mktemp)", f"cat > \"${name}\" << 'END_OF_FILE'", data.decode().rstrip("\n")]
        lines += ["END_OF_FILE"]
    lines += [f"exec python -m facegan run {shlex.quote(run_url)}"]
    return "\n".join(lines)


def _is_open(context: Context, run: str) -> bool:
    try:
        return bool(context.ledger(run).refresh().open)
    except NoRunError:
        return False


def _note(context: Context, run: str) -> Path:
    return context.settings.home / "credentials" / layout.check_run_id(run)
