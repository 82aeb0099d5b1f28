"""Where `auto` comes in. What makes plans is loaded by its name: only who says `auto` waits for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from facegan.ledger import Ledger
from facegan.spending import Spending
from jobs.context import Context
from jobs.supervision.past import Relay
from jobs.supervision.places import Choice
from jobs.supervision.policy import AUTO, Allowed
from jobs.supervision.seen import Policy

ORDERING = "jobs.supervision.ordering"


def of_new(context: Context, named: str, overrides: Sequence[str], relay: Relay, say: Callable[[str], object]) -> Relay:
    """With the backends that `auto` is for a run that is not begun, in the plan's order; any other as it is.

    Raises:
        BadInputError: none can, or there is no such experiment.
    """
    if relay.backends != (AUTO,):
        return relay
    settled: Relay = _ordering().of_new(context, named, overrides, relay, say)
    return settled


def of_old(context: Context, ledger: Ledger, relay: Relay, say: Callable[[str], object]) -> Relay:
    """The same for one that is begun; where it was `auto` before, its backends are put in the order of now."""
    if relay.backends != (AUTO,) and not relay.auto:
        return relay
    settled: Relay = _ordering().of_old(context, ledger, relay, say)
    return settled


def allowed(context: Context, told: Allowed) -> Allowed:
    """What a watch was told, with the backends that `auto` is here."""
    is_set = told.backends is None and told.settings.backend.strip() == AUTO
    if told.backends != (AUTO,) and not is_set:
        return told
    settled: Allowed = _ordering().allowed(context, told)
    return settled


def by_plan(context: Context, ledger: Ledger, policy: Policy, spent: Spending, choice: Choice) -> Choice:
    """What backends offer for the run's next session; where it is `auto`, in the order in which the plan asks them."""
    if not policy.auto:
        return choice
    settled: Choice = _ordering().by_plan(context, ledger, policy.budget, spent, choice)
    return settled


def _ordering() -> Any:  # noqa: ANN401 - a module
    return importlib.import_module(ORDERING)
