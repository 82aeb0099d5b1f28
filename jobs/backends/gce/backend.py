"""Compute Engine behind the port: one machine for each session number, looked up by its name before it is asked for."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.lock import alone
from facegan.process import Life
from jobs import heavy
from jobs.backends import answers, vm
from jobs.backends.base import Capabilities, Check, Fate, Found, Hand, Order
from jobs.backends.gce import checks, chosen, ending, facts, listing, naming, refusals, request, script
from jobs.backends.gce.chosen import Chosen
from jobs.backends.gce.refusals import AnswerError
from jobs.backends.gce.request import Wanted
from jobs.backends.gce.walk import Walk
from jobs.backends.machines import MachineBackend, World
from jobs.backends.notes import Notes
from jobs.backends.vm import Candidate
from jobs.settings import Settings

CLIENT = "jobs.backends.gce.client"  # loaded when Compute Engine is first asked: it brings the SDK
LIFE = vm.Life(driver_s=600.0, stop_s=25.0)
"""A driver may have to be installed first; a machine that is taken back is gone after half a minute."""


class GceBackend(MachineBackend):
    """Machines in the user's own project. `host` is a region, all of whose zones are tried, or one zone.

    Before it a project and a slash may stand, where it is not the one that is settled.
    """

    name = "gce"
    cloud = "Compute Engine"
    cores = facts.VCPUS
    cards: ClassVar[Mapping[str, Sequence[str]]] = {each.gpu: each.types for each in facts.ACCELERATORS}
    without = facts.WITHOUT

    def __init__(self, settings: Settings, host: str | None = None, *, world: World | None = None) -> None:
        self._named = host
        self._settings = settings
        self._world = world or World(life=LIFE)
        self._chosen = Chosen(
            settings=settings,
            environment=self._world.environment,
            named=host,
            project_of_credentials=self._project_of_credentials,
        )
        self._notes = Notes(settings.home / "gce")

    @property
    def host(self) -> str:  # type: ignore[override]  # found out when first asked for
        """The region or zone, as it was named.

        Raises:
            BadInputError: none is named anywhere, or what is named looks like neither.
        """
        return self._named if self._named and self._chosen.place else self._chosen.place

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
            self._notes.been(self._chosen.noted)
            walk = self._walk(order)
            ref, failed = walk.begun(naming.filters(order))
            if ref is not None:
                return ref
            wanted, candidates = self._wanted(order)
            return walk.ask(wanted, candidates, failed)

    def look_up(self, order: Order) -> Json | None:
        with answers.concluding_nothing(AnswerError):
            found = self._client.find(naming.filters(order))
        alive = [each for each in found if ending.life(each) is not Life.GONE]
        return listing.ref(listing.first(alive), self._chosen.project, vm.log_key(order)) if alive else None

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

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Delete the machine, and wait until it is gone; one that has shut down, too, for its disk's sake."""
        del delete
        client, zone = self._of(ref), str(ref["zone"])
        with self._refusing():
            if self._described(client, ref) is None:
                return
            looked = [client.delete(zone, str(ref["instance"]))]

            def is_done() -> bool:
                if len(looked) > 1 or looked[0].get("status") != "DONE":
                    looked.append(client.operation(zone, str(looked[0]["name"])))
                return bool(looked[-1].get("status") == "DONE")

            times = self._world.times
            self._world.wait(is_done, f"the machine {ref['instance']}", times.ending_s, times.look_every_s)
            if (said := refusals.of_operation(looked[-1])) is not None and said.code not in facts.NOT_FOUND:
                raise said

    def hosts(self) -> Sequence[str | None]:
        """The one in use, of whose project every zone is seen, and those where this machine has asked before."""
        in_use = [self._named] if self._named or self._chosen.is_set_up else []
        return [*in_use, *map(chosen.as_host, self._notes.places())]

    def machines(self) -> Sequence[Found]:
        """By their labels, and not by who made them: one request. Where `host` was named, those there."""
        with self._refusing():
            now = self._world.wall_s()
            every = [listing.found(each, self._chosen.project, now) for each in self._client.find(naming.ours())]
        return [each for each in every if self._named is None or self._chosen.has(each.where)]

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
        return [*found, checks.image(self._image)]

    def _machine(self, order: Order) -> Json | None:
        found = self._client.find(naming.filters(order))
        return listing.first(found) if found else None

    def _of_run(self, run_url: str) -> Sequence[Json]:
        found: Sequence[Json] = self._client.find(naming.of_run(run_url))
        return found

    def _remove(self, found: Json) -> None:
        self._client.delete(listing.zone(found), str(found["name"]))

    def _console(self, found: Json) -> str:
        return str(self._client.console(listing.zone(found), str(found["name"])))

    def _walk(self, order: Order) -> Walk:
        times = self._world.times
        return Walk(
            client=self._client,
            name=naming.name(order),
            project=self._chosen.project,
            log=vm.log_key(order),
            sleep=self._world.sleep,
            every_s=times.look_every_s,
            patience_s=times.starting_s,
        )

    def _wanted(self, order: Order) -> tuple[Wanted, Sequence[Candidate]]:
        """All that can be said of the machine, and where it may be had, in the order in which it is tried."""
        types, gpu = self._types(order.gpu), request.attached(order.gpu)
        with_gpu = self._client.places_of_gpu(gpu) if gpu else None
        candidates = [
            Candidate(type=type, zone=zone)
            for type in types
            for zone in sorted(self._client.places(type))
            if self._chosen.has(zone) and (with_gpu is None or zone in with_gpu)
        ]
        if not candidates:
            raise BadInputError(
                f"{self.host} has no {' and no '.join(types)}" + (f" with {gpu}" if gpu else ""),
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

    def _is_left(self, found: Json) -> bool:
        if ending.life(found) is Life.GONE:
            return True
        return ending.is_wanted(found) and listing.age_s(found, self._world.wall_s()) > self._world.times.abandoned_s

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

    @staticmethod
    def _refusing() -> contextlib.AbstractContextManager[None]:
        return answers.refusing(AnswerError, refusals.of_error)
