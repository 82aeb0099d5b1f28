"""What is asked of a place: which it is, whether it can, and the order for one session of a run."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field

from facegan import hours, layout, prepared
from facegan.errors import BadInputError
from facegan.experiment import Data, Experiment, Json
from facegan.ledger import Ledger
from facegan.ledger.fold import OpenSession
from facegan.prepared.selection import is_made_for, is_unprepared
from facegan.prepared.spelled import prepare_line
from facegan.spending import Spending, spending
from jobs import budget as budgets
from jobs import loopback, prices, recipe
from jobs.backends import open_backend
from jobs.backends.base import Backend, Capabilities, Order
from jobs.budget import Budget
from jobs.carrying import weighing
from jobs.context import Context
from jobs.errors import JobError
from jobs.prices import Price

WITHOUT = "none"  # the GPU of who wants to train on the CPU
SHORTEST_GRACE_S = 60.0  # between the wish to stop a session and its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a session is to run, on one of the backend's GPUs or none, and what is shipped there.

    `relay` is where the run may go on from there, as the user said it and its next sessions' intents repeat it. It is
    `carried` there where sessions cannot reach the store: each works on a copy of the run (`jobs.carrying`). `price` is
    what an hour is believed to cost.
    """

    backend: Backend
    gpu: str | None
    bundle: Json = field(default_factory=dict)
    relay: Json | None = None
    carried: bool = False
    price: Price | None = None

    @property
    def budget(self) -> Budget:
        """What the run may cost, by what the user said."""
        return budgets.from_json(self.relay or {})


def place(
    context: Context,
    backend: str | None,
    gpu: str | None,
    host: str | None = None,
    *,
    usd_h: float | None = None,
    fetch: bool = True,
) -> Place:
    """Check that this backend can run a session on this GPU from this store, and has what it takes, or can `fetch` it.

    Raises:
        BadInputError: it cannot; the hint says what can.
    """
    name = backend or context.settings.backend
    chosen = open_backend(name, context.settings, host=host)
    able = chosen.capabilities()
    scheme = context.store.url.partition("://")[0]
    if scheme not in able.stores and scheme not in able.carries:
        stores = ", ".join(f"{known}://" for known in able.stores)
        raise BadInputError(
            f'sessions on backend "{name}" cannot reach the store "{context.store.url}"',
            hint=able.instead.get(scheme, f"they reach {stores}"),
        )
    if able.elsewhere and scheme in able.stores:
        loopback.require_elsewhere(f'sessions on backend "{name}"', context.store.url, os.environ)
    found = None if gpu is None or gpu.lower() == WITHOUT else _gpu(name, able, gpu)
    if fetch:
        chosen.fetch(found)
    bundle = chosen.bundle(found)
    said = prices.parse(context.settings.price) if usd_h is None else usd_h
    price = prices.price(name, found, context.settings.market, host or chosen.host, said)
    return Place(backend=chosen, gpu=found, bundle=bundle, carried=scheme not in able.stores, price=price)


def _gpu(name: str, able: Capabilities, gpu: str) -> str:
    for known in able.gpus:
        if known.lower() == gpu.lower():
            return known
    has = f"it has {', '.join(able.gpus)}" if able.gpus else "it has none; leave --gpu out to train on the CPU"
    for known, why in able.absent.items():
        if known.lower() == gpu.lower():
            raise BadInputError(f'the GPU "{known}" is {why}', hint=has)
    raise BadInputError(f'backend "{name}" has no GPU "{gpu}"', hint=has)


def order(context: Context, run: str, session: OpenSession, upload_s: float = 0.0) -> Order:
    """What is asked of a backend. The grace fits the last checkpoint, by what uploads of this run took."""
    return Order(
        run=run,
        run_url=layout.run_url(context.store.url, run),
        number=session.number,
        gpu=session.gpu,
        bundle=session.bundle or {},
        grace_s=max(SHORTEST_GRACE_S, 10.0 * upload_s),
        carried=session.carried,
        limit_s=session.limit_s,
    )


def suited(context: Context, where: Place, asked: Order, chosen: Experiment) -> Order:
    """The same order, with what this experiment needs of the place: cards, and data to prepare.

    Raises:
        BadInputError: the place has too few cards; or nobody has prepared the data, and it has none of its own; or they
            are more than can be carried there or back.
    """
    replicas = chosen.training.replicas
    if replicas > 1:
        recipe.require_gpus(chosen, where.backend.machine(where.gpu).gpus)
    prepares = _prepares(context, where, asked.run, chosen.data)
    if asked.carried:
        weighing.require_light(context.store, chosen.data, prepares=prepares is not None)
    return dataclasses.replace(asked, replicas=replicas, prepares=prepares)


def _prepares(context: Context, where: Place, run: str, data: Data) -> str | None:
    """The data set that the session has to prepare first, if any."""
    if data.name in where.backend.capabilities().data_there:
        return data.name if is_unprepared(data, context.store) else None
    if data.digest is None and is_unprepared(data, context.store):
        stored = prepared.find_stored(context.store, data.name)
        if not any(is_made_for(manifest, data) for manifest in stored):
            raise BadInputError(
                f'the data of run "{run}" are not prepared yet, and "{where.backend.name}" has no "{data.name}"',
                hint=f"{prepare_line(data)}, or resume the run where it was submitted",
            )
    return None


def first(where: Place) -> OpenSession:
    """The first session of a run, as it would be asked for.

    Raises:
        JobError: the budget does not pay for it.
    """
    return _asked(where, 1, Spending())


def _asked(where: Place, number: int, spent: Spending) -> OpenSession:
    backend = where.backend
    return OpenSession(
        number=number,
        backend=backend.name,
        host=backend.host,
        gpu=where.gpu,
        bundle=where.bundle,
        carried=where.carried,
        limit_s=_limit_s(where, spent),
    )


def _limit_s(where: Place, spent: Spending) -> float | None:
    """How long the budget lets a session take there: however long nobody watches, no more is spent."""
    usd_h = where.price.usd_h if where.price else None
    if (why := where.budget.refuses(spent, usd_h)) is not None:
        raise JobError(
            f"no session is started on {where.backend.name}: {why}",
            hint="--budget USD and --max-hours H say how much is allowed, --price USD what an hour costs",
        )
    return where.budget.left_s(spent, usd_h)


def committed(ledger: Ledger) -> Spending:
    """What the run may have cost in the end, should nothing more be asked for.

    What may live on is counted with all the time that it was given: what is asked for beside it is paid from the rest.
    It is the run as the caller has it in hand: one that was asked for since would seem to have spent all it may take.
    """
    limits = {each.number: each.limit_s for each in ledger.fold.open if each.limit_s is not None}
    return spending(hours.as_read(ledger).sessions, limits, ledger.writer.wall_s())


def following(ledger: Ledger, where: Place, number: int) -> OpenSession:
    """The session of that number, as it is asked for. The ref of one that is carried is part of that.

    Raises:
        JobError: the budget does not pay for it.
    """
    asked = _asked(where, number, Spending() if where.budget.is_open or number == 1 else committed(ledger))
    if not asked.carried:
        return asked
    url = layout.run_url(ledger.store.url, ledger.run)
    return dataclasses.replace(asked, ref=where.backend.ref(Order(run=ledger.run, run_url=url, number=number)))


def intent(asked: OpenSession, where: Place, *, by_user: bool) -> Json:
    """What the ledger says of a session that is asked for: what its price was believed to be is history then."""
    there = {"backend": asked.backend, "host": asked.host, "gpu": asked.gpu, "bundle": asked.bundle}
    said = {"session": asked.number, **there, "resume": by_user}
    if asked.carried:
        said |= {"carried": True, "ref": asked.ref}
    if where.relay:
        said["relay"] = where.relay
    if where.price is not None:
        said["price"] = where.price.to_json()
    return said if asked.limit_s is None else {**said, "limit_s": asked.limit_s}
