"""`auto`: the backends that are set up here and can run a session of what is asked, each asked at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from facegan.errors import FaceganError
from facegan.experiment import Experiment
from jobs import ingredients, orders
from jobs.backends import BACKENDS, open_backend
from jobs.backends.base import Backend
from jobs.context import Context
from jobs.orders import Place
from jobs.patience import at_once
from jobs.planning.prospects import Unfit
from jobs.refusals import Refusal, Uncertain
from jobs.supervision.outlook import Ready
from jobs.supervision.policy import AUTO

PATIENCE_S = 30.0  # for all that places have to say
HERE = frozenset({"local"})
"""Needs no account and no settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for: backends of these names, on a GPU of this name or on none.

    `chosen` is the experiment as a session at a place would train it. Where the user named no backend, `is_auto`,
    those that are not set up here are left out. `usd_h` is what the user says an hour costs.
    """

    names: Sequence[str]
    gpu: str | None
    chosen: Callable[[Place], Experiment]
    is_auto: bool = True
    usd_h: float | None = None


def names_of(backends: Sequence[str]) -> tuple[Sequence[str], bool]:
    """The backends that `auto` stands for, and whether it was that."""
    return (tuple(BACKENDS), True) if tuple(backends) == (AUTO,) else (backends, False)


def set_up(context: Context) -> tuple[str, ...]:
    """The backends that are set up here, whatever they can."""

    def ask(name: str) -> bool:
        try:
            return _not_set_up(open_backend(name, context.settings)) is None
        except FaceganError:
            return False

    found = at_once(BACKENDS, ask, PATIENCE_S, context.clock)
    return tuple(name for name in BACKENDS if found.get(name))


def look(context: Context, wanted: Wanted) -> Sequence[Ready | Unfit]:
    """Ask each of the backends, in their order; one that takes too long has not answered."""
    answers = at_once(wanted.names, lambda name: _ask(context, name, wanted), PATIENCE_S, context.clock)
    silent = f"it says nothing for {PATIENCE_S:.0f} s"
    return [answers.get(name, Unfit(backend=name, gpu=wanted.gpu, why=silent)) for name in wanted.names]


def _ask(context: Context, name: str, wanted: Wanted) -> Ready | Unfit:
    try:
        if wanted.is_auto and (why := _not_set_up(open_backend(name, context.settings))) is not None:
            return Unfit(backend=name, gpu=wanted.gpu, why=why[0], hint=why[1])
        where = orders.place(context, name, wanted.gpu, usd_h=wanted.usd_h, fetch=False)
        chosen = wanted.chosen(where)
        able = where.backend.capabilities()
        ingredients.require_data(
            chosen.data, context.settings.home if able.data_is_here else None, context.store, able.data_there
        )
        orders.suited(context, where, orders.order(context, chosen.name, orders.first(where)), chosen)
        return _with_quota(where, chosen)
    except FaceganError as error:
        return Unfit(backend=name, gpu=wanted.gpu, why=error.message, hint=error.hint or "")


def _not_set_up(backend: Backend) -> tuple[str, str] | None:
    """Why nobody could mean this backend here, and what to do about it."""
    if backend.name in HERE:
        return None
    checks = backend.checks()
    if not checks:
        return "it is not set up here", "its page in docs says how; or name it in --backend"
    wrong = next((check for check in checks if check.ok is False), None)
    return None if wrong is None else (wrong.found, wrong.hint)


def _with_quota(where: Place, chosen: Experiment) -> Ready:
    """With what is left there; what is rationed are GPUs."""
    if where.gpu is None:
        return Ready(where=where, chosen=chosen)
    try:
        return Ready(where=where, chosen=chosen, left=where.backend.quota())
    except FaceganError as error:
        if isinstance(error, Refusal) and not isinstance(error, Uncertain):
            raise
        return Ready(where=where, chosen=chosen, is_silent=True)
