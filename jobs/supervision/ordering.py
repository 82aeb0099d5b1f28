"""`auto`: in which order backends are asked for a run's next session, as its plan would have it now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.ledger import Ledger
from facegan.spending import Spending
from jobs import orders
from jobs.backends import BACKENDS, waiting
from jobs.backends.base import Allowance
from jobs.budget import Budget
from jobs.context import Context
from jobs.orders import Place
from jobs.planning.plan import order
from jobs.planning.prospects import Terms, Unfit
from jobs.supervision import auto, foresight
from jobs.supervision.outlook import Known, Ready
from jobs.supervision.past import Relay
from jobs.supervision.places import Choice
from jobs.supervision.policy import AUTO, Allowed
from jobs.supervision.seen import Offer


def of_new(context: Context, named: str, overrides: Sequence[str], relay: Relay, say: Callable[[str], object]) -> Relay:
    """The relay over the backends that can run a session of what is not begun yet.

    Raises:
        BadInputError: none can, or there is no such experiment.
    """
    base, chosen = foresight.experiment_of(context, named, overrides)
    wanted = auto.Wanted(names=tuple(BACKENDS), gpu=relay.gpu, chosen=chosen, usd_h=relay.budget.usd_h)
    return _settled(context, wanted, relay, float(base.training.steps), _terms_left(relay.budget, Spending()), say)


def of_old(context: Context, ledger: Ledger, relay: Relay, say: Callable[[str], object]) -> Relay:
    """The same for a run that is begun, over those that it was `auto` over before, or over all that are set up."""
    is_new = relay.backends == (AUTO,)
    created, fold = ledger.created(), ledger.refresh()
    wanted = auto.Wanted(
        names=tuple(BACKENDS) if is_new else relay.backends,
        gpu=relay.gpu,
        chosen=lambda _where: created,
        is_auto=is_new,
        usd_h=relay.budget.usd_h,
    )
    terms = _terms_left(relay.budget, Spending() if relay.budget.is_open else orders.committed(ledger))
    return _settled(context, wanted, relay, float(max(1, fold.steps - fold.reached)), terms, say)


def allowed(context: Context, told: Allowed) -> Allowed:
    """What a watch was told, or what is set for it, over the backends that are set up here."""
    names = auto.set_up(context)
    if told.backends is None:
        return replace(told, settings=replace(told.settings, backend=",".join(names)), auto=True)
    return replace(told, backends=names, auto=True)


def by_plan(context: Context, ledger: Ledger, budget: Budget, spent: Spending, choice: Choice) -> Choice:
    """What backends offer for the run's next session, in the order in which the plan would ask them.

    What is worse than waiting for a better one is left out, and so is what is paid where there is no budget.
    """
    created, fold = ledger.created(), ledger.fold
    now = context.writer.wall_s()
    ready = [_as_ready(offer, choice.places[offer.backend], created) for offer in choice.offers if not offer.unfit]
    names = in_order(ready, foresight.known(context), now, float(fold.steps - fold.reached), _terms_left(budget, spent))
    offers = {offer.backend: offer for offer in choice.offers}
    rest = [offer for offer in choice.offers if offer.unfit]
    return replace(choice, offers=[*(offers[name] for name in names), *rest])


def in_order(ready: Sequence[Ready], known_here: Known, now: float, steps: float, terms: Terms) -> tuple[str, ...]:
    """The backends in which order `auto` asks them for the next session; those of which nothing is known come last.

    Of those what costs nothing is before what is paid, and what is paid is left out where there is no budget. Where it
    is best to wait for one, what is worse than waiting is left out.
    """
    offered = [each for each in ready if _is_free(each) or terms.budget is not None]
    fit, _ = foresight.sorted_out(offered, known_here, now, terms, is_auto=True)
    first = order(fit, now, steps, terms)
    if first.is_waited_for:
        return first.backends
    rest = [each for each in offered if each.where.backend.name not in first.backends]
    rest.sort(key=lambda each: not _is_free(each))
    return (*first.backends, *(each.where.backend.name for each in rest))


def _is_free(ready: Ready) -> bool:
    return ready.where.price is not None and ready.where.price.usd_h == 0.0


def _as_ready(offer: Offer, where: Place, chosen: Experiment) -> Ready:
    """A place as it was surveyed. How much its quota is in all was not asked: as much as the table has, or is left."""
    if offer.left_s is None:
        return Ready(where=where, chosen=chosen)
    of_s = max(offer.left_s, waiting.of(offer.backend).week_s or 0.0)
    resets_at = None if offer.resets_at is None else datetime.fromtimestamp(offer.resets_at, UTC)
    left = Allowance(what="", left_s=offer.left_s, of_s=of_s, resets_at=resets_at)
    return Ready(where=where, chosen=chosen, left=left)


def _terms_left(budget: Budget, spent: Spending) -> Terms:
    return Terms(budget=budget.usd, hours=budget.hours).less(spent.usd, spent.ms / 1000.0)


def _settled(
    context: Context, wanted: auto.Wanted, relay: Relay, steps: float, terms: Terms, say: Callable[[str], object]
) -> Relay:
    """The relay over the backends that can, the first to be asked before the others."""
    told = auto.look(context, wanted)
    for each in told:
        if isinstance(each, Unfit):
            say(f"not on {each.backend}: {each.why}")
    ready = [each for each in told if isinstance(each, Ready)]
    first = in_order(ready, foresight.known(context), context.writer.wall_s(), steps, terms)
    names = (*first, *(each.where.backend.name for each in ready if each.where.backend.name not in first))
    if not first:
        dear = "; --budget USD allows what is paid" if ready else ""
        raise BadInputError(
            f"no backend that is set up here can run it{' for nothing' if ready else ''}",
            hint=f"facegan-job doctor shows what is set up{dear}",
        )
    say(f"backends: {', '.join(names)}")
    return replace(relay, backends=names, auto=True)
