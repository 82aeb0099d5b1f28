"""EC2 behind the port: one machine for each session number, looked up by its tags before it is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.process import Life
from jobs.backends import answers, vm
from jobs.backends.base import Capabilities, Check, Fate, Found, Hand, Order
from jobs.backends.ec2 import checks, ending, facts, listing, naming, refusals, request, script
from jobs.backends.ec2.account import AccountBackend
from jobs.backends.ec2.refusals import AnswerError
from jobs.backends.ec2.request import Wanted
from jobs.backends.machines import MachineBackend, World
from jobs.backends.vm import Candidate
from jobs.refusals import Uncertain
from jobs.settings import Settings


class Ec2Backend(MachineBackend, AccountBackend):
    """Machines in the user's own account. `host` is the region: the one that is named, else that of AWS' settings."""

    name = "ec2"
    cloud = "EC2"
    cores = facts.VCPUS
    cards: ClassVar[Mapping[str, Sequence[str]]] = {each.gpu: each.types for each in facts.ACCELERATORS}
    without = facts.WITHOUT
    client = "jobs.backends.ec2.client"
    _world: World

    def __init__(self, settings: Settings, host: str | None = None, *, world: World | None = None) -> None:
        AccountBackend.__init__(self, settings, host, world or World())

    def capabilities(self) -> Capabilities:
        there = ", ".join(each.gpu for each in facts.ACCELERATORS)
        return Capabilities(
            summary=f"a machine of Amazon EC2 for each session, on spot or on demand, that removes itself; {there}",
            gpus=[each.gpu for each in facts.ACCELERATORS],
            stores=("s3",),
            data_is_here=False,
            instead={"gs": "a machine of EC2 has a role at AWS alone: choose --store s3://…"},
            session_s=self._world.life.session_s,
            elsewhere=True,
        )

    def command(self, order: Order) -> Json:
        """The requests that `submit` would make: the look-up, and the first machine that it would ask for."""
        with self._refusing():
            wanted, candidates = self._wanted(order)
        return {
            "region": self.host,
            "describe_instances": {"Filters": naming.filters(order)},
            "run_instances": request.body(wanted, candidates[0]),
            "otherwise": [str(each) for each in candidates[1:]],
        }

    def submit(self, order: Order, hand: Hand) -> Json:
        """Ask for the session's machine, unless there is one or was; in the first zone that has room.

        The crash argument. A machine bears its tags from its first moment on, so whoever looks for them finds it,
        whether it lives or has ended. For the seconds in which EC2 does not list it yet, what was asked for is
        noted before, and is asked for first by the next command, word for word: EC2 answers a request with a
        token that it knows with the machine that it made. Nothing is started that could not be found again: the look-up
        was answered, the region is noted for `reap`, and EC2 makes no machine for somebody who may not give it tags.
        `hand` makes nothing: the machine's role is its key.
        """
        del hand
        self._notes.been(self.host)
        with self._refusing():
            found = self._client.find(naming.filters(order))
            if found:
                self._notes.answered(naming.name(order))
                return self._ref(order, listing.first(found))
            wanted, candidates = self._wanted(order)
            return self._ref(order, self._walk(wanted, candidates))

    def look_up(self, order: Order) -> Json | None:
        with answers.concluding_nothing(AnswerError):
            found = self._client.find(naming.filters(order))
        alive = [each for each in found if ending.life(each) is not Life.GONE]
        return self._ref(order, listing.first(alive)) if alive else None

    def fate(self, ref: Json) -> Fate:
        """Gone is what EC2 says has ended, or what it has not known for a while, being asked by the same account."""
        try:
            identity = str(ref["instance"])
            try:
                described = self._of(ref).instance(identity)
            except AnswerError as error:
                return self._missing(ref) if error.code in facts.GONE_ID else Fate(life=Life.UNKNOWN)
            self._notes.found(identity)
            life = ending.life(described)
            if life is not Life.GONE:
                return Fate(life=life)
            said = self._said(ref) if ending.ended_itself(described) else None
            return Fate(life=Life.GONE, why=ending.why(described, vm.why(said or "")))
        except (FaceganError, KeyError, TypeError, ValueError):
            return Fate(life=Life.UNKNOWN)

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Terminate the machine, and wait until EC2 says that it is gone. Its log in the store, if any, stays."""
        del delete
        identity, client = str(ref["instance"]), self._of(ref)
        with self._refusing():
            try:
                described = client.instance(identity)
                if ending.life(described) is Life.GONE and described["State"]["Name"] != "stopped":
                    return
                client.terminate(identity)
            except AnswerError as error:
                if error.code in facts.GONE_ID and client.account() == ref.get("account"):
                    return
                raise
        with self._refusing():
            times = self._world.times
            self._world.wait(
                lambda: ending.life(client.instance(identity)) is Life.GONE,
                f"the machine {identity}",
                times.ending_s,
                times.look_every_s,
            )

    def machines(self) -> Sequence[Found]:
        """By their tags, and not by who made them: one request."""
        with self._refusing():
            now = self._world.wall_s()
            return [listing.found(each, self.host, now) for each in self._client.find(naming.ours())]

    def checks(self) -> Sequence[Check]:
        """The account, the role of sessions, the quota and the image: where the settings speak of EC2."""
        if not self._is_set_up:
            return ()
        try:
            found = list(checks.look(self._client, self.host, self._profile, self._market))
        except FaceganError as error:
            return [Check(name="ec2", ok=False, found=error.message, hint=error.hint or "")]
        return [*found, *([checks.image(self._sdk.Client, self._image)] if found[0].ok else [])]

    def _machine(self, order: Order) -> Json | None:
        found = self._client.find(naming.filters(order))
        return listing.first(found) if found else None

    def _of_run(self, run_url: str) -> Sequence[Json]:
        found: Sequence[Json] = self._client.find(naming.of_run(run_url))
        return found

    def _remove(self, found: Json) -> None:
        self._client.terminate(found["InstanceId"])

    def _console(self, found: Json) -> str:
        return str(self._client.console(found["InstanceId"]))

    def _walk(self, wanted: Wanted, candidates: Sequence[Candidate]) -> Json:
        """The first of these machines that can be had."""
        name = naming.name(wanted.order)
        noted = self._notes.asked(name)
        ordered = sorted(candidates, key=lambda each: each != noted)
        for candidate in ordered:
            self._notes.asking_for(name, candidate)
            try:
                made: Json = self._client.run(request.body(wanted, candidate))
            except AnswerError as error:
                said = error
            else:
                self._notes.answered(name)
                return made
            if said.code in facts.USED_UP:
                self._notes.answered(name)
                limit = facts.limit(wanted.order.gpu, wanted.market)
                raise refusals.used_up(candidate, said, limit, self.host) from said
            if said.code not in facts.NO_ROOM:
                refusal = refusals.of_error(said)
                if not isinstance(refusal, Uncertain):
                    self._notes.answered(name)
                raise refusal from said
        self._notes.answered(name)
        raise vm.no_room(self.cloud, ordered, said.code) from said

    def _wanted(self, order: Order) -> tuple[Wanted, Sequence[Candidate]]:
        """All that can be said of the machine, and where it may be had, in the order in which it is tried."""
        types = self._types(order.gpu)
        zones = self._client.zones(types)
        candidates = [Candidate(type=type, zone=zone) for type in types for zone in zones[type]]
        if not candidates:
            raise BadInputError(
                f"the region {self.host} has no {' and no '.join(types)}", hint="name another: --host NAME"
            )
        wanted = Wanted(
            order=order,
            image=self._client.image(self._settings.ami or facts.AMI),
            market=self._market,
            profile=self._profile,
            script=script.render(order, self.host, self._world.life),
        )
        return wanted, candidates

    def _ref(self, order: Order, described: Json) -> Json:
        return script.ref(order, self.host, described["InstanceId"], described["OwnerId"])

    def _missing(self, ref: Json) -> Fate:
        """Not listed yet, forgotten (an hour after its end), or of another account than the one that asks."""
        if self._of(ref).account() != ref.get("account"):
            return Fate(life=Life.UNKNOWN)
        now = self._world.wall_s()
        if now - self._notes.missed(str(ref["instance"]), now) < self._world.times.missing_s:
            return Fate(life=Life.UNKNOWN)
        said = vm.why(self._log(str(ref["log"])) or "")
        return Fate(life=Life.GONE, why=said or "its machine is not at EC2 any more")

    def _said(self, ref: Json) -> str | None:
        """The machine's own log: in the store, or, where none is whole there, on its console."""
        log = self._log(str(ref["log"]))
        if log is not None and vm.why(log) is not None:
            return log
        with contextlib.suppress(FaceganError):
            return str(self._of(ref).console(str(ref["instance"])))
        return None

    def _is_left(self, found: Json) -> bool:
        if ending.life(found) is Life.GONE:
            return bool(found["State"]["Name"] == "stopped")
        age_s = listing.age_s(found, self._world.wall_s())
        return ending.is_wanted(found) and age_s > self._world.times.abandoned_s

    @property
    def _is_set_up(self) -> bool:
        return bool(self._settings.profile) or super()._is_set_up

    @property
    def _profile(self) -> str:
        return self._settings.profile or facts.PROFILE

    @property
    def _market(self) -> str:
        return vm.market(self._settings.market)
