"""AWS Batch, and the log of its jobs, asked by the SDK. Answers are plain; refusals are `AnswerError`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from facegan.experiment import Json
from jobs.backends.ec2.client import Client as AwsClient
from jobs.backends.ec2.client import errors, region
from jobs.backends.ec2.refusals import AnswerError

__all__ = ["Client", "region"]

LOG_GROUP = "/aws/batch/job"
AT_ONCE = 100  # jobs that are described by one request


class Client(AwsClient):
    """An account in one region: its queues, job definitions and jobs."""

    def queue(self, name: str) -> Json:
        with errors():
            found = self._of("batch").describe_job_queues(jobQueues=[name])["jobQueues"]
        if not found:
            raise AnswerError(f'Batch has no queue "{name}"', "ClientException")
        one: Json = found[0]
        return one

    def queues(self, names: Sequence[str]) -> list[str]:
        """Those of these queues that there are, each once."""
        with errors():
            found = self._of("batch").describe_job_queues(jobQueues=list(dict.fromkeys(names)))["jobQueues"]
        return [str(each["jobQueueName"]) for each in found]

    def environments(self, queue: Json) -> list[Json]:
        """The compute environments that a queue's jobs run in, in the order in which they are taken."""
        named = [each["computeEnvironment"] for each in queue["computeEnvironmentOrder"]]
        with errors():
            return list(
                self._of("batch").describe_compute_environments(computeEnvironments=named)["computeEnvironments"]
            )

    def definition(self, name: str) -> Json:
        """The newest revision of a job definition, unless `name` names one."""
        asked = {"jobDefinitions": [name]} if ":" in name else {"jobDefinitionName": name, "status": "ACTIVE"}
        with errors():
            found = self._of("batch").describe_job_definitions(**asked)["jobDefinitions"]
        if not found:
            raise AnswerError(f'Batch has no job definition "{name}"', "ClientException")
        newest: Json = max(found, key=lambda each: int(each["revision"]))
        return newest

    def jobs(self, queue: str, named: str) -> list[Json]:
        """The jobs of that name, in every state; a `*` at its end is any text. Batch forgets them after some days."""
        with errors():
            pages = self._of("batch").get_paginator("list_jobs")
            asked = {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [named]}]}
            identities = [each["jobId"] for page in pages.paginate(**asked) for each in page["jobSummaryList"]]
            return [job for part in _parts(identities) for job in self._of("batch").describe_jobs(jobs=part)["jobs"]]

    def submit(self, body: Json) -> Json:
        """Ask for a job, once: whoever asks again looks it up first."""
        with errors():
            made: Json = self._once("batch").submit_job(**body)
        return made

    def end(self, identity: str, why: str) -> None:
        with errors():
            self._of("batch").terminate_job(jobId=identity, reason=why)

    def log(self, stream: str) -> Iterator[str]:
        """What a job's container has printed, line by line."""
        asked = {"logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": True}
        before = None
        while True:
            with errors():
                page = self._of("logs").get_log_events(**asked)
            yield from (f"{event['message']}\n" for event in page["events"])
            if page["nextForwardToken"] == before:  # the end, as CloudWatch says it
                return
            asked["nextToken"] = before = page["nextForwardToken"]


def _parts(identities: Sequence[str]) -> Iterator[list[str]]:
    for at in range(0, len(identities), AT_ONCE):
        yield list(identities[at : at + AT_ONCE])
