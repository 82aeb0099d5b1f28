"""moto really runs a job's container on a Docker engine: the real program, to the end of its run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facegan import layout
from facegan.ledger import State
from facegan.ledger.fold import OpenSession
from facegan.process import Life
from jobs import cli, orders, settings
from jobs import context as contexts
from jobs.backends import open_backend
from tests.batch.conftest import Batch
from tests.cloud import servers
from tests.cloud.proxy import proxy
from tests.container import left
from tests.container.conftest import engine, image  # noqa: F401 - the fixtures
from tests.container.runs import address_of
from tests.e2e.runs import RUN, experiment
from tests.fakes import metadata
from tests.fakes.ec2 import ACCOUNT, BEFORE, REGION, Asked, client_of
from tests.waiting import until


@pytest.fixture
def role(
    batch: Batch,
    engine: Any,  # noqa: F811 - pytest's way
    image: str,  # noqa: F811
    boring_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[metadata.Machine]:
    """A user, whose store and whose jobs' role are where containers reach them. The image is on the engine already."""
    from moto.batch.models import batch_backends
    from moto.core.config import default_user_config

    monkeypatch.setitem(default_user_config, "batch", {"use_docker": True})
    address = address_of(engine)
    with proxy(batch.aws.url, address) as between, metadata.serving(address) as said:
        said.role = "facegan-job"
        said.keys = {
            "Code": "Success",
            "AccessKeyId": "ASIA",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": "2099-01-01T00:00:00Z",
        }

        def begin(asked: Asked, when: str) -> None:
            if asked.action == "submitjob" and when == BEFORE:
                for definition in batch_backends[ACCOUNT][REGION]._job_definitions.values():
                    definition.container_properties["image"] = image
                    variable = {"name": "AWS_EC2_METADATA_SERVICE_ENDPOINT", "value": said.url}
                    definition.container_properties["environment"] = [variable]

        batch.aws.watch = begin
        store = f"s3://{servers.BUCKET}/gans?endpoint={between.url}"
        for name, value in {"STORE": store, "BACKEND": "batch", "HOME": boring_environment}.items():
            monkeypatch.setenv(f"FACEGAN_{name}", str(value))
        yield said
    left.clear(engine, layout.run_url(store, RUN))


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("role")
def test_a_whole_run_in_a_jobs_container(batch: Batch) -> None:
    told = batch.file("definition.json")
    told["containerProperties"]["resourceRequirements"].pop()  # the GPU
    client_of(batch.aws)("batch").register_job_definition(**told)
    assert cli.run(["submit", "dcgan-mnist", "--name", RUN, "-d", *experiment("session.heartbeat_s=0.5")]) == 0
    context = contexts.real(settings.load())
    ledger = context.ledger(RUN)
    (job,) = batch.jobs()
    until(lambda: job.status in {"SUCCEEDED", "FAILED"})
    job.join(600)  # it has removed its container
    assert not job.is_alive()
    assert ledger.refresh().state is State.FINISHED
    assert job.exit_code == 0
    place = open_backend("batch", context.settings)
    (ref,) = [each.body["ref"] for each in ledger.entries() if each.kind == "launched"]
    assert place.fate(ref).life is Life.GONE
    session = OpenSession(number=1, backend="batch")
    assert "step" in "".join(place.printed(orders.order(context, RUN, session)))
