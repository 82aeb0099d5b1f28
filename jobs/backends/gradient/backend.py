"""Gradient behind the port: one workflow for each session number, of whose runs the first is the session."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from facegan import handed
from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.lock import alone
from facegan.process import Life
from jobs.backends import vm
from jobs.backends.answers import AGAIN
from jobs.backends.base import Backend, Capabilities, Check, Fate, Found, Hand, Machine, Order
from jobs.backends.gradient import api, checks, ending, facts, naming, refusals, request
from jobs.backends.gradient.api import Api
from jobs.backends.gradient.naming import Named
from jobs.backends.notes import Notes
from jobs.backends.outside import Outside
from jobs.backends.rest import AnswerError, Rest
from jobs.refusals import Auth, Uncertain
from jobs.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things take at Gradient, in seconds.

    Of its longest session, `session_s`, the last `margin_s` are not planned with. What it does not list is not there
    when it does not list it `missing_s` later either. A session that was told to end has `ending_s`.
    """

    session_s: float = facts.SESSION_S.value
    margin_s: float = 300.0
    missing_s: float = 60.0
    ending_s: float = 120.0
    look_every_s: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World(Outside):
    """What is around the backend: tests put something else there."""

    times: Times = Times()


class GradientBackend(Backend):
    """Workflows in the user's own account. `host` is the project: the one that is named, else the only one."""

    name = "gradient"

    def __init__(self, settings: Settings, host: str | None = None, *, world: World | None = None) -> None:
        self._named = host
        self._settings = settings
        self._world = world or World()
        self._notes = Notes(settings.home / "gradient")

    @functools.cached_property
    def host(self) -> str:  # type: ignore[override]  # found out once, when first asked for
        """The project, by its handle.

        Raises:
            BadInputError: there is none, or several and none is named.
        """
        with self._refusing():
            return api.project(self._api.projects(), self._named)

    def capabilities(self) -> Capabilities:
        there = ", ".join(each.gpu for each in facts.ACCELERATORS)
        hours = facts.SESSION_S.value // 3600
        return Capabilities(
            summary=f"a workflow of Paperspace's Gradient for each session, of {hours} h at the most; {there}",
            gpus=[each.gpu for each in facts.ACCELERATORS],
            stores=("s3", "gs"),
            data_is_here=False,
            absent=facts.ELSEWHERE,
            session_s=self._world.times.session_s,
            elsewhere=not api.is_here(self._world.environment),
        )

    def machine(self, gpu: str | None) -> Machine:
        return Machine(device="gpu" if gpu else "cpu", cores=facts.CORES.value, gpus=1 if gpu else None)

    def bundle(self, gpu: str | None) -> Json:
        """The image, by its digest in a registry that lets anybody pull.

        Raises:
            BadInputError: no image is set, or not by its digest.
            Refusal: there is no such GPU, or no account.
        """
        request.machine(gpu)
        named = vm.pinned(self._settings.image, "Gradient")
        _ = self.host
        return {"image": named, "id": None, "digest": named}

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Hold a lock file of this machine; of two machines' commands, the ledger lets one session train."""
        with alone(self._notes.lock(run)):
            yield

    def command(self, order: Order) -> Json:
        """The workflow and its run. What is in the secret is made later, and shown to nobody."""
        return {
            "workflow": request.workflow(order, self.host),
            "secret": {"project": self.host, "name": naming.secret(order)},
            "run": request.run(order, self._session_s(order)),
        }

    def submit(self, order: Order, hand: Hand) -> Json:
        """Start the run of the session's workflow, unless it has one, living or not.

        The crash argument. A workflow by itself runs nothing, and is found again by its name; so is the secret. Killed
        before the run was asked for, the next command makes the secret anew and asks. One whose answer was lost is
        noted before it is sent: the next command then waits for it to be listed. Were there two in spite of that, by
        commands of two machines, the second session finds its number leased and trains nothing.
        """
        request.machine(order.gpu)
        name = naming.workflow(order)
        self._notes.been(self.host)
        with self._refusing():
            workflow = self._workflow(order) or self._api.make_workflow(request.workflow(order, self.host))
            ref = self._ref(order, workflow)
            if not self._patient_runs(name, workflow):
                self._api.put_secret(self.host, naming.secret(order), self._given(order, hand, ref))
                self._notes.asking(name)
                self._start(name, workflow, request.run(order, self._session_s(order)))
            self._notes.answered(name)
        return ref

    def look_up(self, order: Order) -> Json | None:
        try:
            workflow = self._workflow(order)
            if workflow is None or ending.life(self._api.runs(workflow)) in {None, Life.GONE}:
                return None
            return self._ref(order, workflow)
        except (AnswerError, Auth, BadInputError) as error:
            raise Uncertain(error.message, hint=error.hint or AGAIN) from error

    def fate(self, ref: Json) -> Fate:
        """Gone is what Gradient says has ended, or what it has not listed for a while, being asked by the same team."""
        try:
            if self._api.team() != ref["team"]:
                return Fate(life=Life.UNKNOWN)
            runs = self._runs(str(ref["workflow"]))
        except (FaceganError, KeyError, TypeError, ValueError):
            return Fate(life=Life.UNKNOWN)
        found = ending.life(runs)
        if found is None:
            return self._missing(str(ref.get("name")))
        self._notes.found(str(ref.get("name")))
        return Fate(life=found, why=ending.why(runs) if found is Life.GONE else "")

    def printed(self, order: Order) -> Iterator[str]:
        try:
            workflow = self._workflow(order)
            for run in self._api.runs(workflow) if workflow else ():
                yield from self._api.log(str(workflow), str(run.get("uuid") or run["id"]))
        except AnswerError as error:
            raise Uncertain(error.message, hint=AGAIN) from error

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """Cancel what runs of the workflow, and wait until Gradient says that it has ended. Its log stays."""
        del delete
        workflow = str(ref["workflow"])
        with self._refusing():
            for run in self._runs(workflow):
                if ending.life([run]) is not Life.GONE:
                    self._api.cancel(workflow, int(run["id"]))
            times = self._world.times
            self._world.wait(
                lambda: ending.life(self._runs(workflow)) in {None, Life.GONE},
                f"the workflow {workflow}",
                times.ending_s,
                times.look_every_s,
            )

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Delete the secrets of sessions that have ended. Workflows stay: numbers are looked up by their names.

        A number that whoever calls this has not heard of yet is not in `keep` either: so none is touched whose
        workflow is about to run, or runs.
        """
        for number, name in naming.numbers(self._api.secrets(self.host), run_url):
            if number not in keep and self._is_over(run_url, number):
                self._api.delete_secret(self.host, name)

    def hosts(self) -> Sequence[str]:
        """The project in use, and those where this machine has asked for sessions before."""
        in_use = [self.host] if self._named or self._is_chosen else []
        return list(dict.fromkeys([*in_use, *self._notes.places()]))

    def machines(self) -> Sequence[Found]:
        """Workflows of ours in the project that run, or are about to: by their names, and not by who made them."""
        with self._refusing():
            named = [(each, naming.named(str(each.get("name")))) for each in self._api.workflows(self.host)]
            found = [self._found(each, of) for each, of in named if of is not None]
        return [each for each in found if each is not None]

    def checks(self) -> Sequence[Check]:
        """The key, the project, and whether there are workflows: with a key, or where sessions are to run here."""
        if not self._world.environment.get("PAPERSPACE_API_KEY") and not self._is_chosen:
            return ()
        return checks.look(lambda: self._api, self._named)

    def _start(self, name: str, workflow: str, body: Json) -> None:
        try:
            self._api.start(workflow, body)
        except AnswerError as error:
            refusal = refusals.of_error(error)
            if not isinstance(refusal, Uncertain):
                self._notes.answered(name)  # nothing runs, and nothing will by this request
            raise refusal from error

    def _given(self, order: Order, hand: Hand, ref: Json) -> str:
        credentials = hand()
        return handed.to_text(
            handed.Handed(
                environment=credentials.environment if credentials else {},
                files=credentials.files if credentials else {},
                until=credentials.until if credentials else None,
                origin=handed.Origin(backend=self.name, host=self.host, ref=ref),
                grace_s=order.grace_s,
                gpu=order.gpu,
                budget_s=self._session_s(order) - self._world.times.margin_s,
            )
        )

    def _session_s(self, order: Order) -> float:
        """Gradient's own time-out: what a budget pays for, and the session ends before it."""
        return order.within(self._world.times.session_s)

    def _workflow(self, order: Order) -> str | None:
        """The session's workflow; of several of one name, made by two machines at once, always the same."""
        name = naming.workflow(order)
        found = [str(each["id"]) for each in self._api.workflows(self.host) if each.get("name") == name]
        return min(found, default=None)

    def _runs(self, workflow: str) -> Sequence[Json]:
        """The runs of a workflow, and none of one that is not there."""
        try:
            return self._api.runs(workflow)
        except AnswerError as error:
            if error.status != api.NOT_FOUND:
                raise
            self._api.team()
            return ()

    def _patient_runs(self, name: str, workflow: str) -> Sequence[Json]:
        found = self._api.runs(workflow)
        if not found and self._notes.is_unanswered(name):
            self._world.sleep(self._world.times.missing_s)
            found = self._api.runs(workflow)
        return found

    def _is_over(self, run_url: str, number: int) -> bool:
        order = Order(run=run_url.rpartition("/")[2], run_url=run_url, number=number)
        workflow = self._workflow(order)
        return workflow is None or ending.life(self._api.runs(workflow)) is Life.GONE

    def _missing(self, name: str) -> Fate:
        now = self._world.wall_s()
        if now - self._notes.missed(name, now) < self._world.times.missing_s:
            return Fate(life=Life.UNKNOWN)
        return Fate(life=Life.GONE, why="its workflow has no run at Gradient", missing=True)

    def _ref(self, order: Order, workflow: str) -> Json:
        return self._ref_of(workflow, naming.workflow(order))

    def _ref_of(self, workflow: str, name: str) -> Json:
        return {"team": self._api.team(), "project": self.host, "workflow": workflow, "name": name}

    def _found(self, workflow: Json, of: Named) -> Found | None:
        """The one that runs in this workflow, if any."""
        identity, name = str(workflow["id"]), str(workflow["name"])
        alive = [each for each in self._runs(identity) if ending.life([each]) is not Life.GONE]
        if not alive:
            return None
        now = self._world.wall_s()
        began = ending.began(alive[0]) or self._notes.seen(name, now)
        return Found(
            ref=self._ref_of(identity, name),
            run=of.run,
            digest=of.digest,
            number=of.number,
            age_s=now - began,
            state=ending.phase(alive[0]),
            where=self.host,
        )

    @property
    def _is_chosen(self) -> bool:
        return self.name in self._settings.backend.split(",")

    @functools.cached_property
    def _api(self) -> Api:
        said = self._world.environment
        return Api(rest=Rest(name="Paperspace", address=api.address(said), key=api.key(said)))

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        """What Gradient answers, as refusals; no answer says nothing of the session."""
        try:
            yield
        except AnswerError as error:
            raise refusals.of_error(error) from error
