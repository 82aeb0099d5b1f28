"""What places say: of sessions that have not ended, and of whether they could run another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from facegan.errors import BadInputError, FaceganError
from facegan.ledger import Ledger
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs import ingredients, launch, orders
from jobs.backends import waiting
from jobs.context import Context
from jobs.errors import JobError, NotSetUpError
from jobs.orders import Place
from jobs.refusals import Auth, Refusal, Uncertain
from jobs.supervision import asking
from jobs.supervision.past import Ended, Relay
from jobs.supervision.seen import Offer, Policy, Sighting

OF_THIS_MACHINE = frozenset({"local", "docker"})
"""What these cannot run here, they may run where the run was submitted."""


@dataclass(kw_only=True)
class Missing:
    """Since when this process has looked for sessions that their place does not know: by run and number.

    By its own clock, and no more than a courtesy to itself: a process that is killed looks twice again.
    """

    since: dict[tuple[str, int], float] = field(default_factory=dict)

    def for_s(self, name: tuple[str, int], now: float) -> float:
        return now - self.since.setdefault(name, now)

    def forget(self, run: str, numbers: Collection[int]) -> None:
        """Those numbers of the run are known, or have ended: all but `numbers` are forgotten."""
        self.since = {name: at for name, at in self.since.items() if name[0] != run or name[1] in numbers}


def sight(context: Context, ledger: Ledger, missing: Missing) -> Sequence[Sighting]:
    """Ask after every session of the run that has not ended."""
    found = [_sight(context, ledger, session, missing) for session in ledger.fold.open]
    missing.forget(ledger.run, [each.number for each in found if each.missing_s is not None])
    return found


def _sight(context: Context, ledger: Ledger, session: OpenSession, missing: Missing) -> Sighting:
    fate = launch.fate(context, session)
    seen = Sighting(number=session.number, life=fate.life, why=fate.why)
    if fate.life is not Life.UNKNOWN or session.by is not None or session.machine is not None:
        return seen
    name = (ledger.run, session.number)
    known = asking.is_known(context, ledger, session)
    if known is False:
        return replace(seen, missing_s=missing.for_s(name, context.clock()))
    # what is found under a name that nobody has written a ref down for is for `launch.begin` to find
    return replace(seen, missing_s=0.0) if known and session.ref is None else seen


def first(
    context: Context, relay: Relay, host: str | None, say: Callable[[str], object], *, fetch: bool = True
) -> Place:
    """The first of the backends that can run a session as it is asked for.

    Raises:
        BadInputError: none can, and a host is one backend's own; says why the first cannot.
        FaceganError: the first says no, or does not answer, and no other can.
    """
    if host is not None and len(relay.backends) > 1:
        raise BadInputError(f'--host "{host}" is of one backend, not of {len(relay.backends)}', hint="name that one")
    errors: list[FaceganError] = []
    for name in relay.backends:
        try:
            return orders.place(context, name, relay.gpu, host, usd_h=relay.budget.usd_h, fetch=fetch)
        except FaceganError as error:
            errors.append(error)
            if len(relay.backends) > 1:
                say(f"not on {name}: {error.message}")
    raise errors[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What backends of the policy could do now, and the places themselves of those that can, by name.

    `lacking` says of those that cannot what this machine lacks for it: it is no word on the run, and passes.
    """

    offers: Sequence[Offer]
    places: dict[str, Place]
    lacking: dict[str, FaceganError] = field(default_factory=dict)


def survey(context: Context, ledger: Ledger, policy: Policy, past: Sequence[Ended]) -> Choice:
    """Ask every backend that the run may go to, as it was asked before: the same host of it."""
    places: dict[str, Place] = {}
    lacking: dict[str, FaceganError] = {}
    offers = []
    for name in policy.backends:
        host = next((ended.host for ended in past if ended.backend == name), None)
        try:
            where = fitting(context, ledger, name, policy, host)
        except FaceganError as error:
            if _is_lacking(name, error):
                lacking[name] = error
            offers.append(_unfit(name, error, is_lacking=name in lacking))
        else:
            places[name] = where
            offers.append(_offer(where))
    return Choice(offers=offers, places=places, lacking=lacking)


def _is_lacking(name: str, error: FaceganError) -> bool:
    """Whether it is this machine that cannot ask the backend: it lacks a setting, an SDK or a key that is taken there.

    The run may be carried on by another watch, which has it.
    """
    if isinstance(error, BadInputError) and name in OF_THIS_MACHINE:
        return True
    return isinstance(error, NotSetUpError | Auth) or (isinstance(error, JobError) and not isinstance(error, Refusal))


def _unfit(name: str, error: FaceganError, *, is_lacking: bool) -> Offer:
    """A backend that cannot: for good, where it is the run that it cannot run."""
    if is_lacking:
        return Offer(backend=name, unfit=told(error), passing=True)
    says_no = isinstance(error, Refusal) and not isinstance(error, Uncertain)
    return Offer(backend=name, unfit=error.message, passing=not says_no and not isinstance(error, BadInputError))


def told(error: FaceganError) -> str:
    """What is wrong, and what to type, in one line."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _offer(where: Place) -> Offer:
    """What the quota allows; all, where the place does not say: it refuses what it does not allow."""
    offer = Offer(backend=where.backend.name, usd_h=where.price.usd_h if where.price else None)
    if where.gpu is None:
        return offer  # what is rationed are GPUs
    try:
        allowance = where.backend.quota()
    except FaceganError:
        return offer
    if allowance is None:
        return offer
    resets_at = allowance.resets_at.timestamp() if allowance.resets_at else None
    start_s = waiting.of(where.backend.name).start_s
    return replace(offer, left_s=allowance.left_s, resets_at=resets_at, start_s=start_s)


def fitting(context: Context, ledger: Ledger, name: str, policy: Policy, host: str | None = None) -> Place:
    """This backend as the place of the run's next session.

    Raises:
        BadInputError: it cannot be; says why.
        FaceganError: it says no, or does not answer.
    """
    where = orders.place(context, name, policy.gpu, host, usd_h=policy.budget.usd_h)
    able, chosen = where.backend.capabilities(), ledger.created()
    home = context.settings.home if able.data_is_here else None
    ingredients.require_data(chosen.data, home, context.store, able.data_there)
    orders.suited(context, where, orders.order(context, ledger.run, orders.first(where)), chosen)
    relay = Relay(backends=policy.backends, gpu=policy.gpu, budget=policy.budget, auto=policy.auto)
    return replace(where, relay=relay.to_json())
