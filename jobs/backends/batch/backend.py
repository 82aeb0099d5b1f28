"""AWS Batch behind the port: one job for each session number, looked up by its name before it is asked for.

Queue and job definition are the user's, and so is how often a job is tried again: what Batch starts again finds its
number leased or ended, and takes the next one for itself (`facegan.lease`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from facegan.errors import BadInputError, FaceganError
from facegan.experiment import Json
from facegan.process import Life
from jobs.backends import answers, marks
from jobs.backends.base import Capabilities, Check, Fate, Found, Hand, Machine, Order
from jobs.backends.batch import ending, facts, fitting, naming, request
from jobs.backends.ec2 import facts as ec2
from jobs.backends.ec2.account import AccountBackend
from jobs.backends.ec2.naming import RUN, SESSION, URL
from jobs.backends.ec2.refusals import AnswerError, of_error
from jobs.backends.outside import Outside
from jobs.settings import Settings

MISSING_S = 60.0  # what Batch does not know is not there when it does not know it so much later either
ENDING_S, LOOK_EVERY_S = 120.0, 3.0


class BatchBackend(AccountBackend):
    """Jobs in the user's own account. `host` is the region: the one that is named, else that of AWS' settings."""

    name = "batch"

    client = "jobs.backends.batch.client"
    kinds = facts.KINDS

    def __init__(self, settings: Settings, host: str | None = None, *, world: Outside | None = None) -> None:
        super().__init__(settings, host, world or Outside())

    def capabilities(self) -> Capabilities:
        there = ", ".join(each.gpu for each in ec2.ACCELERATORS)
        return Capabilities(
            summary=f"a job of AWS Batch for each session, in a queue of yours, tried again by its rules; {there}",
            gpus=[each.gpu for each in ec2.ACCELERATORS],
            stores=("s3",),
            data_is_here=False,
            instead={"gs": "a job of Batch has a role at AWS alone: choose --store s3://…"},
            elsewhere=True,
        )

    def machine(self, gpu: str | None) -> Machine:
        return Machine(device="gpu" if gpu else "cpu", cores=ec2.VCPUS, gpus=1 if gpu else None)

    def bundle(self, gpu: str | None) -> Json:
        """The image of the job definition, by its digest. Asks Batch.

        Raises:
            BadInputError: it is not named so.
            Refusal: queue or definition do not fit, or Batch does not answer.
        """
        with self._refusing():
            queue = self._client.queue(self._queue)
            fitting.require_queue(queue, self._client.environments(queue), gpu)
            return fitting.bundle(self._client.definition(self._settings.definition or facts.DEFINITION), gpu)

    def command(self, order: Order) -> Json:
        """The requests that `submit` would make."""
        with self._refusing():
            return {"region": self.host, "submit_job": request.body(order, self._ref(order))}

    def submit(self, order: Order, hand: Hand) -> Json:
        """Ask for the session's job, unless there is one or was.

        The crash argument. A job bears its name from its first moment on, so whoever looks for that finds it, whether
        it lives or has ended, as long as Batch remembers it. Should two commands ask in the same second, the second
        job finds the number leased, and a live holder in its way: it ends with 73. `hand` makes nothing: the job's
        role is its key.
        """
        del hand
        self._notes.been(self.host)
        self._notes.been_in_queue(self.host, self._queue)
        with self._refusing():
            ref = self._ref(order)
            if not self._client.jobs(ref["queue"], ref["job"]):
                self._client.submit(request.body(order, ref))
            return ref

    def look_up(self, order: Order) -> Json | None:
        with answers.concluding_nothing(AnswerError):
            ref = self._ref(order)
            jobs = self._client.jobs(ref["queue"], ref["job"])
        return ref if any(ending.life(each) is not Life.GONE for each in jobs) else None

    def fate(self, ref: Json) -> Fate:
        """Gone is a job that has ended for good, or that Batch does not know, being asked by the same account."""
        try:
            jobs = self._of(ref).jobs(str(ref["queue"]), str(ref["job"]))
            if not jobs:
                return self._missing(ref)
            self._notes.found(str(ref["job"]))
            job = ending.newest(jobs)
            life = ending.life(job)
            return Fate(life=life, why=ending.why(job) if life is Life.GONE else "")
        except (FaceganError, KeyError, TypeError, ValueError):
            return Fate(life=Life.UNKNOWN)

    def printed(self, order: Order) -> Iterator[str]:
        """From the log of the job's last start: CloudWatch keeps those of the others, too."""
        jobs = self._client.jobs(self._queue, naming.name(order))
        stream = (ending.newest(jobs).get("container") or {}).get("logStreamName") if jobs else None
        return self._client.log(stream) if stream else iter(())

    def cancel(self, ref: Json, *, delete: bool = False) -> None:
        """End the job, whether it waits or runs, and wait until Batch says that it has ended."""
        del delete
        client, queue, name = self._of(ref), str(ref["queue"]), str(ref["job"])
        with self._refusing():
            jobs = client.jobs(queue, name)
            if not jobs and client.account() != ref.get("account"):
                raise BadInputError(f"the job {name} is of another account", hint=ec2.KEYS)
            for job in jobs:
                if ending.life(job) is not Life.GONE:
                    client.end(job["jobId"], "facegan-job cancel")
            self._world.wait(
                lambda: all(ending.life(job) is Life.GONE for job in client.jobs(queue, name)),
                f"the job {name}",
                ENDING_S,
                LOOK_EVERY_S,
            )

    def sweep(self, run_url: str, keep: Collection[int]) -> None:
        """Nothing: what a job leaves is Batch's, which forgets it, and jobs that nobody owns are `reap`'s."""

    def machines(self) -> Sequence[Found]:
        """Jobs of ours that have not ended, in the queue in use and those that were: each has a machine, or will."""
        with self._refusing():
            queues = self._client.queues([self._queue, *self._notes.queues(self.host)])
            jobs = [(queue, job) for queue in queues for job in self._client.jobs(queue, f"{naming.BEGINS}*")]
            ours = [(queue, job) for queue, job in jobs if ending.life(job) is not Life.GONE and self._is_ours(job)]
            account = self._client.account() if ours else ""
            return [self._found(job, queue, account) for queue, job in ours]

    def checks(self) -> Sequence[Check]:
        """The queue and the job definition: where the settings speak of Batch."""
        if not self._is_set_up:
            return ()
        try:
            queue = self._client.queue(self._queue)
            fitting.require_queue(queue, self._client.environments(queue), None)
            definition = self._client.definition(self._settings.definition or facts.DEFINITION)
            image = definition["containerProperties"]["image"]
        except AnswerError as error:
            return [Check(name="batch", ok=False, found=error.message, hint=of_error(error, facts.KINDS).hint or "")]
        except FaceganError as error:
            return [Check(name="batch", ok=False, found=error.message, hint=error.hint or "")]
        found = f'jobs of "{definition["jobDefinitionName"]}" in the queue "{self._queue}" run "{image}"'
        return [Check(name="batch", ok=True, found=found)]

    @staticmethod
    def _is_ours(job: Json) -> bool:
        return URL in (job.get("tags") or {})

    def _found(self, job: Json, queue: str, account: str) -> Found:
        tags = job["tags"]
        return Found(
            ref=naming.ref(job["jobName"], queue, self.host, account),
            run=str(tags.get(RUN, "")),
            digest=str(tags[URL]),
            number=marks.number(str(tags.get(SESSION, ""))),
            age_s=self._world.wall_s() - job["createdAt"] / 1000,
            state=str(job["status"]).lower(),
            where=self.host,
        )

    def _missing(self, ref: Json) -> Fate:
        """Not listed yet, forgotten, or of another account than the one that asks."""
        if self._of(ref).account() != ref.get("account"):
            return Fate(life=Life.UNKNOWN)
        now = self._world.wall_s()
        if now - self._notes.missed(str(ref["job"]), now) < MISSING_S:
            return Fate(life=Life.UNKNOWN)
        return Fate(life=Life.GONE, why="its job is not at Batch any more")

    def _ref(self, order: Order) -> Json:
        return naming.ref(naming.name(order), self._queue, self.host, self._client.account())

    @property
    def _queue(self) -> str:
        return self._settings.queue or facts.QUEUE

    @property
    def _is_set_up(self) -> bool:
        return bool(self._settings.queue) or super()._is_set_up
