"""The port, held against moto: one job for a number, whatever breaks, and nothing concluded too early."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from facegan import handed
from facegan.errors import BadInputError
from facegan.process import Life
from jobs.backends.base import digest
from jobs.backends.batch import ending, naming
from jobs.backends.batch.backend import BatchBackend
from jobs.backends.ec2 import role
from jobs.refusals import Auth, InvalidJob, Refusal, Uncertain
from tests.batch.conftest import IMAGE, Batch
from tests.batch.submitting import backend, order
from tests.cloud import servers
from tests.ec2.submitting import RUN, nobody
from tests.fakes.ec2 import ACCOUNT, AFTER, BEFORE, Asked, client_of
from tests.security.canaries import Haystack, canary

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(batch: Batch, tmp_path: Path) -> BatchBackend:
    return backend(tmp_path, batch.aws.url)


# --- one job for a number ---------------------------------------------------------------------------


def test_a_session_is_submitted_once(batch: Batch, here: BatchBackend, tmp_path: Path) -> None:
    url = batch.aws.url
    asked = order(here, url)
    ref = here.submit(asked, nobody)
    (job,) = batch.jobs()
    assert ref == {"job": job.job_name, "queue": "facegan", "region": "us-east-1", "account": ACCOUNT}
    assert here.submit(asked, nobody) == ref
    assert backend(tmp_path / "another", url).submit(asked, nobody) == ref
    assert here.look_up(asked) == ref
    assert len(batch.jobs()) == 1
    assert here.look_up(order(here, url, 2)) is None
    assert here.submit(order(here, url, 2), nobody) != ref, "another number is another job"
    batch.put("FAILED")
    assert here.look_up(order(here, url, 2)) is None
    here.submit(order(here, url, 2), nobody)
    assert len(batch.jobs()) == 2, "one that has ended is not started again"


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_killed_while_the_job_is_made_and_repeated_there_is_one(batch: Batch, tmp_path: Path, when: str) -> None:
    command = [sys.executable, "-m", "tests.batch.submitting", str(tmp_path), batch.aws.url]

    def watch(asked: Asked, now: str) -> None:
        batch.watch(asked, now)
        if asked.action == "submitjob" and now == when:
            child.kill()
            child.wait()

    batch.aws.watch = watch
    with batch.aws.at_work:  # no request of it is heard before it is known
        child = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ))
    assert child.wait(timeout=600) != 0
    batch.aws.watch = batch.watch
    here = backend(tmp_path, batch.aws.url)
    here.submit(order(here, batch.aws.url), nobody)
    assert len(batch.jobs()) == 1


def test_names_are_those_of_one_run_and_such_as_batch_takes(here: BatchBackend, batch: Batch) -> None:
    asked = replace(order(here, batch.aws.url), run="a.run-1")
    here.submit(asked, nobody)
    assert naming.name(asked).startswith(f"facegan-a_run-1-{digest(asked.run_url)}-")
    longest = replace(asked, run="x" * 63, number=1_000_000)
    assert len(naming.name(longest)) <= 128


# --- what is asked for ------------------------------------------------------------------------------


def test_the_job_is_as_it_must_be(batch: Batch, here: BatchBackend) -> None:
    asked = order(here, batch.aws.url)
    shown = here.command(asked)
    assert not batch.jobs()
    ref = here.submit(asked, nobody)
    (said,) = batch.submitted()
    assert said == shown["submit_job"], "a dry run shows the very request"
    assert said["jobDefinition"].endswith("job-definition/facegan:1"), "its own revision: a newer one changes nothing"
    assert said["tags"] == {"facegan:run": RUN, "facegan:session": "1", "facegan:url": digest(asked.run_url)}
    overrides = said["containerOverrides"]
    assert overrides["command"] == ["run", asked.run_url, "--session", "1", "--handed-in", "FACEGAN_HANDED"]
    (variable,) = overrides["environment"]
    given = handed.take(variable["name"], {variable["name"]: variable["value"]})
    assert given.origin == handed.Origin(backend="batch", host="us-east-1", ref=ref)
    assert (given.environment, given.files) == ({"AWS_DEFAULT_REGION": "us-east-1", **role.PATIENCE}, {})
    assert (given.gpu, given.cloud, given.grace_s, given.budget_s) == ("T4", "ec2", 20.0, 86_400 - 300)
    assert "arrayProperties" not in said
    assert "retryStrategy" not in said, "those are the definition's"


def test_no_secret_is_in_anything_that_is_sent(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {name: canary(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_TOKEN")}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    here = backend(tmp_path, batch.aws.url)
    here.submit(order(here, batch.aws.url), nobody)
    haystack = Haystack(secrets=secrets)
    haystack.search("the requests", bytes(batch.aws.seen))
    haystack.search("what is shown", repr(here.command(order(here, batch.aws.url))).encode())
    haystack.search_below(tmp_path)
    assert not haystack.found


def without_digest(batch: Batch) -> None:
    client_of(batch.aws)("batch").register_job_definition(**batch.file("definition.json", IMAGE="facegan:latest"))


def without_gpu(batch: Batch) -> None:
    told = batch.file("definition.json")
    told["containerProperties"]["resourceRequirements"].pop()
    client_of(batch.aws)("batch").register_job_definition(**told)


def disabled(batch: Batch) -> None:
    client_of(batch.aws)("batch").update_job_queue(jobQueue="facegan", state="DISABLED")


@pytest.mark.parametrize(
    ("change", "gpu", "more", "said"),
    [
        (without_digest, "T4", {}, "not by its digest"),
        (without_gpu, "T4", {}, 'has no GPU, and a "T4"'),
        (None, None, {}, "has a GPU, and none is asked for"),
        (None, "L4", {}, 'may run on g4dn.xlarge, g4dn.2xlarge, which has no "L4"'),
        (disabled, "T4", {}, "is DISABLED"),
        (None, "T4", {"queue": "mine"}, 'no queue "mine"'),
        (None, "T4", {"definition": "mine"}, 'no job definition "mine"'),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_made(
    batch: Batch, tmp_path: Path, change: Callable[[Batch], None] | None, gpu: str | None, more: Any, said: str
) -> None:
    if change is not None:
        change(batch)
    with pytest.raises((BadInputError, InvalidJob), match=said) as caught:
        backend(tmp_path, batch.aws.url, **more).bundle(gpu)
    assert caught.value.hint
    assert not batch.jobs()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ClientException", InvalidJob),
        ("AccessDeniedException", Auth),
        ("UnrecognizedClientException", Auth),
        ("Unavailable", Uncertain),
        ("SomethingNew", Uncertain),
    ],
)
def test_answers_are_refusals_of_their_kind(batch: Batch, here: BatchBackend, code: str, kind: type[Refusal]) -> None:
    asked = order(here, batch.aws.url)
    batch.aws.refuse = lambda said: code if said.action == "submitjob" else None
    with pytest.raises(kind, match=code):
        here.submit(asked, nobody)
    assert len([each for each in batch.aws.asked if each.action == "submitjob"]) == 1, "never asked again by itself"


@pytest.mark.parametrize("action", ["listjobs", "describejobs"])
def test_who_may_not_look_submits_nothing(batch: Batch, here: BatchBackend, action: str) -> None:
    asked = order(here, batch.aws.url)
    here.submit(order(here, batch.aws.url, 2), nobody)
    batch.aws.refuse = lambda said: "AccessDeniedException" if said.action == action else None
    if action == "describejobs":  # only asked of what is listed
        asked = order(here, batch.aws.url, 2)
    with pytest.raises(Auth):
        here.submit(asked, nobody)
    with pytest.raises(Uncertain):
        here.look_up(asked)
    assert len(batch.jobs()) == 1


# --- what becomes of it -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"])
def test_a_job_that_has_not_ended_lives(batch: Batch, here: BatchBackend, status: str) -> None:
    ref = here.submit(order(here, batch.aws.url), nobody)
    batch.put(status)
    assert here.fate(ref).life is Life.ALIVE


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ({"status": "SUCCEEDED", "container": {"exitCode": 0}}, "its job has ended"),
        (
            {"status": "FAILED", "statusReason": "Host EC2 (instance i-1) terminated."},
            "the machine of its job was taken back, for the last time that Batch allows it: Host EC2",
        ),
        (
            {"status": "FAILED", "statusReason": "Essential container in task exited", "container": {"exitCode": 75}},
            "its job has ended: Essential container in task exited, exit code 75",
        ),
        ({"status": "FAILED"}, "its job has ended: Batch does not say why"),
    ],
)
def test_a_job_that_has_ended_says_why(job: dict[str, Any], why: str) -> None:
    assert ending.life(job) is Life.GONE
    assert ending.why(job).startswith(why)


def test_its_end_is_evidence(batch: Batch, here: BatchBackend) -> None:
    ref = here.submit(order(here, batch.aws.url), nobody)
    batch.put("FAILED", "Host EC2 (instance i-1) terminated.")
    fate = here.fate(ref)
    assert fate.life is Life.GONE
    assert "was taken back" in fate.why


def test_an_unknown_state_is_not_final_and_a_ref_that_is_none_is_unknown(here: BatchBackend) -> None:
    assert ending.life({"status": "DREAMING"}) is Life.UNKNOWN
    assert here.fate({}).life is Life.UNKNOWN


def test_what_batch_does_not_know_is_gone_after_a_while_and_of_the_same_account_alone(
    batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.time()]
    here = backend(tmp_path, batch.aws.url, wall_s=lambda: now[0])
    ref = {**here.submit(order(here, batch.aws.url), nobody), "job": "facegan-forgotten-1"}
    assert here.fate(ref).life is Life.UNKNOWN
    now[0] += 61
    assert here.fate({**ref, "account": "999999999999"}).life is Life.UNKNOWN
    assert here.fate(ref).why == "its job is not at Batch any more"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{servers.free_port()}")
    assert backend(tmp_path, batch.aws.url).fate(ref).life is Life.UNKNOWN


def test_cancelled_it_is_gone_and_may_be_cancelled_again(batch: Batch, here: BatchBackend) -> None:
    ref = here.submit(order(here, batch.aws.url), nobody)
    here.cancel(ref)
    assert here.fate(ref).life is Life.GONE
    here.cancel(ref)
    here.cancel({**ref, "job": "facegan-forgotten-1"})
    with pytest.raises(BadInputError, match="another account"):
        here.cancel({**ref, "job": "facegan-forgotten-1", "account": "999999999999"})
    assert len([each for each in batch.aws.asked if each.action == "terminatejob"]) == 1


def test_jobs_of_ours_that_have_not_ended_are_found(batch: Batch, here: BatchBackend) -> None:
    asked = order(here, batch.aws.url)
    ref = here.submit(asked, nobody)
    client_of(batch.aws)("batch").submit_job(jobName="somebody-s", jobQueue="facegan", jobDefinition="facegan")
    (found,) = here.machines()
    assert (found.ref, found.run, found.number, found.digest) == (ref, RUN, 1, digest(asked.run_url))
    assert (found.state, found.where, found.age_s < 600) == ("runnable", "us-east-1", True)
    assert here.hosts() == ["us-east-1"]
    later = backend(here._settings.home, batch.aws.url, queue="another", regions="eu-west-1")
    assert [each.ref for each in later.machines()] == [ref], "where it was asked is remembered; no queue is no fault"
    assert later.hosts() == ["us-east-1", "eu-west-1"]
    batch.aws.asked.clear()
    here.submit(order(here, batch.aws.url, number=2), nobody)
    batch.aws.asked.clear()
    assert len(here.machines()) == 2
    assert batch.aws.actions().count("GetCallerIdentity") == 1
    for each in here.machines():
        here.cancel(each.ref)
    assert not here.machines()


def test_what_it_printed_is_read_from_its_log(batch: Batch, here: BatchBackend) -> None:
    asked = order(here, batch.aws.url)
    assert here.last_words(asked) == ""
    here.submit(asked, nobody)
    stream = batch.jobs()[-1].log_stream_name
    logs = client_of(batch.aws)("logs")
    logs.create_log_group(logGroupName="/aws/batch/job")
    logs.create_log_stream(logGroupName="/aws/batch/job", logStreamName=stream)
    now = int(time.time() * 1000)
    events = [{"timestamp": now + at, "message": f"line {at}"} for at in range(5)]
    logs.put_log_events(logGroupName="/aws/batch/job", logStreamName=stream, logEvents=events)
    assert list(here.printed(asked)) == [f"line {at}\n" for at in range(5)]


def test_a_doctor_looks_at_queue_and_definition(batch: Batch, here: BatchBackend, tmp_path: Path) -> None:
    (found,) = here.checks()
    assert (found.ok, IMAGE in found.found) == (True, True)
    (missing,) = backend(tmp_path, batch.aws.url, queue="mine").checks()
    assert (missing.ok, 'no queue "mine"' in missing.found) == (False, True)
    assert backend(tmp_path, batch.aws.url, backend="local").checks() == ()
