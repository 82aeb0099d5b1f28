"""Compute Engine behind the port: one machine for each session number, looked up by its name before it is asked for."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from facegan.errors import BadInputError, FaceganError, UnreachableError
from facegan.experiment import Json
from facegan.lock import alone
from facegan.process import Life
from facegan.storage import ObjectStore, open_store
from jobs import heavy
from jobs.backends import vm
from jobs.backends.base import Backend, Capabilities, Check, Fate, Found, Hand, Machine, Order
from jobs.backends.gce import checks, ending, facts, listing, naming, refusals, request, script
from jobs.backends.gce.chosen import Chosen
from jobs.backends.gce.refusals import AnswerError
from jobs.backends.gce.request import Candidate, Wanted
from jobs.backends.gce.walk import Walk
from jobs.backends.notes import Notes
from jobs.backends.outside import Outside
from jobs.refusals import Uncertain
from jobs.settings import Settings

CLIENT = "jobs.backends.gce.client"  # loaded when Compute Engine is first asked: it brings the SDK
LARGEST_LOG = 1 << 20
LIFE = vm.Life(driver_s=600.0, stop_s=25.0)
"""A driver may have to be installed first; a machine that is taken back is gone after half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things take, in seconds.

    What Compute Engine knows nothing of is not there when it does not `missing_s` later either. A machine of an ended
    session that is still there `abandoned_s` after it was made is nobody's. One that was told to end has `ending_s`.
    One that is asked for is waited for `starting_s`, because only then it is known whether there is room for it.
    """

    missing_s: float = 60.0
    abandoned_s: float = 900.0
    ending_s: float = 180.0
    starting_s: float = 180.0
    look_every_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Outside):
    """What is around the backend: tests put something else there."""

    times: Times = Times()
    life: vm.Life = field(default=LIFE)


class GceBackend(Backend):
    """Machines in the user's own project. `host` is a region, all of whose zones are tried, or one zone."""

    name = "gce"

    def __init__(self, settings: Settings, host: str | None = None, *, world: World | None = None) -> None:
        self._named = host
        self._settings = settings
        self._world = world or World()
        self._chosen = Chosen(
            settings=settings,
            environment=self._world.environment,
            named=host,
            project_of_credentials=self._project_of_credentials,
        )
        self._notes = Notes(settings.home / "gce")

    @property
    def host(self) -> str:  # type: ignore[override]  # found out when first asked for
        """The region or zone.

        Raises:
            BadInputError: none is named anywhere, or what is named looks like neither.
        """
        return self._chosen.place

    def capabilities(self) -> Capabilities:
        there = ", ".join(each.gpu for each in facts.ACCELERATORS)
        return Capabilities(
            summary=f"a machine of Google Compute Engine for each session, on spot or on demand, that deletes itself; "
            f"{there}",
            gpus=[each.gpu for each in facts.ACCELERATORS],
            stores=("gs",),
            data_is_here=False,
            instead={"s3": "a machine of Compute Engine has a service account at Google alone: choose --store gs://…"},
            session_s=self._world.life.session_s,
            elsewhere=True,
        )

    def machine(self, gpu: str | None) -> Machine:
        return Machine(device="gpu" if gpu else "cpu", cores=facts.VCPUS, gpus=1 if gpu else None)

    def bundle(self, gpu: str | None) -> Json:
        """The image, by its digest in a registry: a machine that is new has to pull it from somewhere.

        Raises:
            BadInputError: no image is set, or not by its digest; or the settings name no known market.
            Refusal: there is no such GPU.
        """
        request.types(gpu)
        named = self._chosen.image
        _ = self._chosen.market, self.host
        return {"image": named, "id": None, "digest": named}

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Hold a lock file of this machine; of two machines' commands, Google tells by their ids that they are one."""
        with alone(self._notes.lock(run)):
            yield

    def command(self, order: Order) -> Json:
        """The requests that `submit` would make: the look-ups, and the first machine that it would ask for."""
        with self._refusing():
            wanted, candidates = self._wanted(order)
        first = candidates[0]
        return {
            "project": self._chosen.project,
            "operations.aggregatedList": {"filter": naming.operations(naming.name(order))},
            "instances.aggregatedList": {"filter": naming.filters(order)},
            "instances.insert": {
                "zone": first.zone,
                "requestId": naming.request_id(order, first.type, first.zone),
                "body": request.body(wanted, first),
            },
            "otherwise": [str(each) for each in candidates[1:]],
        }

    def submit(self, order: Order, hand: Hand) -> Json:
        """Ask for the session's machine, unless there is one or was; in the first zone that has room.

        Returns when it is known whether there is room for it, or not known for minutes. `hand` makes nothing: the
        machine's service account is its key.
        """
        del hand
        with self._refusing():
            walk = self._walk(order)
            ref, failed = walk.begun(naming.filters(order))
            if ref is not None:
                return ref
            wanted, candidates = self._wanted(order)
            return walk.ask(wanted, candidates, failed)

    def look_up(self, order: Order) -> Json | None:
        try:
            found = self._client.find(naming.filters(order))
        except (AnswerError, UnreachableError) as error:
            raise Uncertain(error.message, hint=error.hint or facts.AGAIN) from error
        alive = [each for each in found if ending.life(each) is not Life.GONE]
        return listing.ref(listing.first(alive), self._chosen.project, script.log_key(order)) if alive else None

    def fate(self, ref: Json) -> Fate:
        """Gone is what has shut down, and what its project does not have: by what was done to it, or for a while."""
        try:
            client = self._of(ref)
            described = self._described(client, ref)
            if described is not None and (life := ending.life(described)) is not Life.GONE:
                return Fate(life=life)
            history = client.history(str(ref["zone"]), naming.operations(str(ref["instance"])))
            history = [each for each in history if str(each.get("targetId")) == ref["id"]]
            return self._ended(ref, described, history)
        except (FaceganError, KeyError, TypeError, ValueError):
            return Fate(life=Life.UNKNOWN)

    def printed(self, order: Order) -> Iterator[str]:
        """From the log that the machine has left in the store; before that, and without one, from its serial line."""
        text = self._log(script.log_key(order))
        if text is None:
            found = self._client.find(naming.filters(order))
            one = listing.first(found) if found else None
            text = self._client.console(listing.zone(one), str(one["name"])) if one else ""
        return (line for line in text.splitlines(keepends=True) if line.endswith("\n"))

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Delete the machine, and wait until it is gone; one that has shut down, too, for its disk's sake."""
        del delete
        client, zone = self._of(ref), str(ref["zone"])
        with self._refusing():
            if self._described(client, ref) is None:
                return
            operation = client.delete(zone, str(ref["instance"]))
            waited = 0.0
            while operation.get("status") != "DONE" and waited < self._world.times.ending_s:
                self._world.sleep(self._world.times.look_every_s)
                waited += self._world.times.look_every_s
                operation = client.operation(zone, str(operation["name"]))
            if (said := refusals.of_operation(operation)) is not None and said.code not in facts.NOT_FOUND:
                raise said

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Delete machines of a run without a session that have not deleted themselves.

        While one is open, nothing is touched: it may be on a machine that was made for a number before it, which had
        ended when that machine came to begin. A number that whoever calls this has not heard of yet is not in `keep`
        either: so none is touched that was made a while ago at the most.
        """
        if keep:
            return
        for found in self._client.find(naming.of_run(run_url)):
            if self._is_left(found):
                self._client.delete(listing.zone(found), str(found["name"]))

    def hosts(self) -> Sequence[str | None]:
        """One look-up sees every zone of the project."""
        return [self._named] if self._named or self._chosen.is_set_up else []

    def machines(self) -> Sequence[Found]:
        """By their labels, and not by who made them: one request. Where `host` was named, those there."""
        with self._refusing():
            now = self._world.wall_s()
            every = [listing.found(each, self._chosen.project, now) for each in self._client.find(naming.ours())]
        return [each for each in every if self._named in {None, each.where, each.where.rpartition("-")[0]}]

    def checks(self) -> Sequence[Check]:
        """The credentials, the quota and the images: where the settings speak of Compute Engine."""
        if not self._chosen.is_set_up:
            return ()
        try:
            found = list(
                checks.look(
                    self._client,
                    self._chosen.project,
                    self._chosen.region,
                    self._chosen.boot_image,
                    self._chosen.market,
                )
            )
        except AnswerError as error:
            return [Check(name="gce", ok=False, found=error.message, hint=refusals.of_error(error).hint or "")]
        except FaceganError as error:
            return [Check(name="gce", ok=False, found=error.message, hint=error.hint or "")]
        return [*found, checks.image(lambda: self._chosen.image)]

    def _walk(self, order: Order) -> Walk:
        times = self._world.times
        return Walk(
            client=self._client,
            name=naming.name(order),
            project=self._chosen.project,
            log=script.log_key(order),
            sleep=self._world.sleep,
            every_s=times.look_every_s,
            patience_s=times.starting_s,
        )

    def _wanted(self, order: Order) -> tuple[Wanted, Sequence[Candidate]]:
        """All that can be said of the machine, and where it may be had, in the order in which it is tried."""
        gpu = request.attached(order.gpu)
        with_gpu = self._client.places_of_gpu(gpu) if gpu else None
        candidates = [
            Candidate(type=type, zone=zone)
            for type in request.types(order.gpu)
            for zone in sorted(self._client.places(type))
            if self._chosen.has(zone) and (with_gpu is None or zone in with_gpu)
        ]
        if not candidates:
            raise BadInputError(
                f"{self.host} has no {' and no '.join(request.types(order.gpu))}" + (f" with {gpu}" if gpu else ""),
                hint="name another: --host NAME",
            )
        wanted = Wanted(
            order=order,
            image=self._chosen.boot_image,
            market=self._chosen.market,
            service_account=self._chosen.service_account(self._chosen.project),
            life_s=math.ceil(self._world.life.within(order.limit_s).life_s),
            script=lambda zone: script.render(order, self.host, zone, self._world.life),
        )
        return wanted, candidates

    def _described(self, client: Any, ref: Json) -> Json | None:  # noqa: ANN401 - its module brings the SDK
        """The machine of this ref; `None` if its project, answering, has no such machine, or another of that name."""
        try:
            found: Json = client.instance(str(ref["zone"]), str(ref["instance"]))
        except AnswerError as error:
            if error.code in facts.NOT_FOUND and "/instances/" in error.message:
                return None
            raise
        self._notes.found(str(ref["id"]))
        return found if str(found["id"]) == ref["id"] else None

    def _ended(self, ref: Json, described: Json | None, history: Sequence[Json]) -> Fate:
        """Of one that is not there, or has shut down; not remembered at all, it may not be listed yet."""
        if described is None and ending.is_being_made(history):
            return Fate(life=Life.ALIVE)
        if described is None and not history:
            now = self._world.wall_s()
            if now - self._notes.missed(str(ref["id"]), now) < self._world.times.missing_s:
                return Fate(life=Life.UNKNOWN)
            said = vm.why(self._log(str(ref["log"])) or "")
            return Fate(life=Life.GONE, why=said or "its machine is not at Compute Engine any more")
        account = self._chosen.service_account(str(ref["project"]))
        said = vm.why(self._said(ref, described is not None) or "")
        return Fate(life=Life.GONE, why=ending.why(history, account, said))

    def _said(self, ref: Json, is_there: bool) -> str | None:
        """The machine's own log: in the store, or, where it could not reach that, on its serial line."""
        log = self._log(str(ref["log"]))
        if log is not None or not is_there:
            return log
        with contextlib.suppress(FaceganError):
            return str(self._of(ref).console(str(ref["zone"]), str(ref["instance"])))
        return None

    def _log(self, key: str) -> str | None:
        with contextlib.suppress(FaceganError):
            return self._store.get(key, at_most=LARGEST_LOG).decode(errors="replace")
        return None

    def _is_left(self, found: Json) -> bool:
        if ending.life(found) is Life.GONE:
            return True
        return ending.is_wanted(found) and listing.age_s(found, self._world.wall_s()) > self._world.times.abandoned_s

    @functools.cached_property
    def _store(self) -> ObjectStore:
        return open_store(self._settings.store)

    @functools.cached_property
    def _client(self) -> Any:  # noqa: ANN401 - its module brings the SDK
        return self._sdk.Client(self._chosen.project, self._chosen.endpoint)

    def _of(self, ref: Json) -> Any:  # noqa: ANN401
        """The project that the machine is in."""
        project = str(ref["project"])
        return self._client if project == self._chosen.project else self._sdk.Client(project, self._chosen.endpoint)

    def _project_of_credentials(self) -> str | None:
        found: str | None = self._sdk.project()
        return found

    @functools.cached_property
    def _sdk(self) -> Any:  # noqa: ANN401 - a module that brings the SDK
        return heavy.sdk(CLIENT, "gce")

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """What Google answers, as refusals; no answer says nothing of the session."""
        try:
            yield
        except AnswerError as error:
            raise refusals.of_error(error) from error
        except UnreachableError as error:
            raise Uncertain(error.message, hint=error.hint or facts.AGAIN) from error
