"""What a user of the stack sees: where it listens, what it tells nobody, a run up to its chart, a store that keeps its
promises; and that it lasts.

All of it in one file, since files are what tests are shared out by: it is one stack, then, and not one for each worker.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from playwright.sync_api import expect

from facegan.storage import open_store
from facegan.storage.base import NotFoundError, RefusedError
from facegan.tracking.server import Server
from jobs import context as contexts
from jobs import launch, recipe, settings
from jobs.errors import Exit
from tests.browser import PATIENCE_MS, blank_page
from tests.container.conftest import require
from tests.stack.conftest import IMAGES
from tests.stack.world import PATIENCE_S, ROOT, SERVICES, SHORT, Stack
from tests.waiting import until

pytestmark = pytest.mark.timeout(PATIENCE_S)
RUN, JOINED = "on-the-stack", "joined"
WRITERS = 8
PORTS = {"store": 9000, "database": 5432, "mlflow": 5000}


def client(stack: Stack) -> Any:
    return boto3.session.Session().client("s3", endpoint_url=f"http://127.0.0.1:{stack.ports['store']}")


def keys(stack: Stack, bucket: str) -> set[str]:
    pages = client(stack).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"] for page in pages for item in page.get("Contents", ())}


@pytest.fixture(scope="module")
def trained(stack: Stack) -> str:
    """A run that the backend `local` trained to its end and the user synced; the id of its MLflow run."""
    sets = [word for setting in SHORT for word in ("--set", setting)]
    stack.command("submit", "dcgan-mnist", "--name", RUN, *sets)
    stack.command("sync", RUN)
    return tracked(stack, RUN)


def tracked(stack: Stack, run: str) -> str:
    client = Server.open(stack.typed["FACEGAN_TRACKING"]).client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (found,) = client.search_runs(experiments, filter_string=f"attributes.run_name = '{run}'")
    return str(found.info.run_id)


def sees(stack: Stack, run: str, identity: str) -> None:
    """A person finds the run in the list of MLflow's pages, and its curve on its own."""
    expect.set_options(timeout=PATIENCE_MS)
    at = stack.typed["FACEGAN_TRACKING"]
    experiment = Server.open(at).client.get_run(identity).info.experiment_id
    with blank_page(1500, 1400) as page:
        page.goto(f"{at}/#/experiments/{experiment}/runs?workflowType=machine_learning")
        expect(page.get_by_role("link", name=run).first).to_be_visible()
        page.goto(f"{at}/#/experiments/{experiment}/runs/{identity}/model-metrics")
        cards = page.get_by_test_id("experiment-view-compare-runs-card")
        curve = cards.filter(has=page.get_by_title("d_loss", exact=True))
        line = curve.locator("path.js-line").first
        expect(line).to_be_visible()
        assert line.get_attribute("d").count("L") > 10


def test_what_is_printed_is_what_the_page_says_and_what_it_takes(stack: Stack) -> None:
    page = (ROOT / "docs" / "docker.md").read_text()
    said = [line[2:].partition("    #")[0] for line in stack.make("up").splitlines() if line.startswith("  ")]
    default = {str(stack.ports["store"]): "9000", str(stack.ports["mlflow"]): "5000"}
    for line in said:
        usual = re.sub(r":(\d+)", lambda port: f":{default[port[1]]}", line)
        assert f"$ {usual}\n" in page
    assert {bucket["Name"] for bucket in client(stack).list_buckets()["Buckets"]} == {"facegan", "mlflow"}
    assert stat.S_IMODE((stack.at / "infra" / ".env").stat().st_mode) == 0o600
    assert stat.S_IMODE((stack.at / "infra" / ".secrets").stat().st_mode) == 0o700
    ignored = subprocess.run(
        ["git", "check-ignore", "infra/.env", "infra/.secrets/store"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.split()) == 2 or not (ROOT / ".git").exists()


def test_ports_are_on_loopback_and_nothing_is_more_than_it_must(stack: Stack) -> None:
    found = stack.containers()
    bound = [
        port for container in found for ports in container["HostConfig"]["PortBindings"].values() for port in ports
    ]
    assert {(port["HostIp"], int(port["HostPort"])) for port in bound} == {
        ("127.0.0.1", port) for port in stack.ports.values()
    }
    assert len(found) == len(SERVICES)
    for container in found:
        how = container["HostConfig"]
        assert (how["ReadonlyRootfs"], how["CapDrop"], how["Privileged"]) == (True, ["ALL"], False)
        assert container["Config"]["User"] not in {"", "root", "0"}
        assert how["Memory"] > 0
        assert how["RestartPolicy"]["Name"] == "unless-stopped"


def test_no_secret_is_told_to_whoever_may_ask(stack: Stack) -> None:
    secrets = {
        stack.typed["AWS_ACCESS_KEY_ID"],
        stack.typed["AWS_SECRET_ACCESS_KEY"],
        (stack.at / "infra" / ".secrets" / "database").read_text(),
    }
    assert all(len(secret) == 40 for secret in secrets)
    containers = stack.containers()
    told = [json.dumps(containers), *(path.read_text() for path in (stack.at / "infra").glob("*.yaml"))]
    for container in containers:
        for command in (("history", "--no-trunc", container["Image"]), ("inspect", container["Image"]),
                        ("logs", container["Id"]), ("top", container["Id"])):  # fmt: skip
            done = subprocess.run(["docker", *command], capture_output=True, text=True, check=True)
            told.append(done.stdout + done.stderr)
    assert not [secret for secret in secrets for text in told if secret in text]


def test_a_run_ends_in_the_store_and_its_pictures_do_too(stack: Stack, trained: str) -> None:
    assert "48" in stack.command("verify", RUN)
    assert RUN in {key.split("/")[1] for key in keys(stack, "facegan")}
    pictures = [key for key in keys(stack, "mlflow") if f"/{trained}/artifacts/images/" in key]
    assert pictures
    listed = Server.open(stack.typed["FACEGAN_TRACKING"]).client.list_artifacts(trained, "images")
    assert {Path(item.path).name for item in listed} == {key.rpartition("/")[2] for key in pictures}


def test_a_person_sees_the_run_and_a_curve(stack: Stack, trained: str) -> None:
    sees(stack, RUN, trained)


def test_the_server_answers_to_its_own_names_alone(stack: Stack) -> None:
    """A page elsewhere that has its name lead to loopback is told nothing."""
    url = f"{stack.typed['FACEGAN_TRACKING']}/api/2.0/mlflow/experiments/search?max_results=1"
    with urllib.request.urlopen(url) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, headers={"Host": "elsewhere.example"}))
    assert refused.value.code == 403


def test_a_session_by_hand(stack: Stack) -> None:
    """In a container that is given its credentials as a file, on a run that nobody has begun."""
    context = contexts.real(settings.load(environment=stack.user, folder=stack.home))
    launch.create(context, "by-hand", recipe.resolve("dcgan-mnist", SHORT, device="cpu", cores=1))
    inside = re.sub(r"127\.0\.0\.1:\d+", "store:9000", f"{stack.typed['FACEGAN_STORE']}/runs/by-hand")
    said = stack.compose("run", "--rm", "-T", "train", inside)
    assert json.loads(stack.command("status", "by-hand", "--json"))["state"] == "finished", said


def test_a_container_joins_the_stacks_network_is_killed_and_goes_on(stack: Stack, engine: Any) -> None:
    """As docs/docker.md has it: the store's port on loopback is reached from inside, by the store's name."""
    sets = [word for setting in (*SHORT, "training.steps=100000") for word in ("--set", setting)]
    stack.command("submit", "dcgan-mnist", "--backend", "docker", "--name", JOINED, *sets, "--detach")
    mine = {"label": f"facegan.url={stack.typed['FACEGAN_STORE']}/runs/{JOINED}"}
    (session,) = engine.containers.list(filters=mine)
    assert list(session.attrs["NetworkSettings"]["Networks"]) == [f"{stack.project}_sessions"]
    ledger = contexts.real(settings.load(environment=stack.user, folder=stack.home)).ledger(JOINED)
    until(lambda: ledger.refresh().reached)
    session.kill("SIGKILL")
    assert reached(stack, engine, f"{stack.project}_sessions") == {"store"}
    before = ledger.refresh().reached

    stack.command("resume", JOINED, "--backend", "docker", "--detach")
    until(lambda: ledger.refresh().reached > before)
    stack.command("stop", JOINED)
    stack.command("wait", JOINED, code=Exit.NOT_FINISHED)
    now = json.loads(stack.command("status", JOINED, "--json"))
    assert (now["state"], now["sessions"]) == ("stopped", 2)
    assert f"{now['step']:,}" in stack.command("verify", JOINED)
    assert not engine.containers.list(all=True, filters=mine)
    stack.command("sync", JOINED)
    sees(stack, JOINED, tracked(stack, JOINED))


ASK = """
import socket, sys
for asked in sys.argv[1:]:
    service, address, port = asked.split(",")
    try:
        socket.create_connection((address, int(port)), 2).close()
        print(service)
    except OSError:
        continue
"""


def reached(stack: Stack, engine: Any, network: str) -> set[str]:
    """The services of the stack that a container in this network reaches, at any of their addresses."""
    asked = [
        f"{service},{where['IPAddress']},{PORTS[service]}"
        for one in stack.containers()
        if (service := one["Config"]["Labels"]["com.docker.compose.service"]) in PORTS
        for where in one["NetworkSettings"]["Networks"].values()
    ]
    assert len(asked) == len(PORTS) + 1, "the store is in two networks"
    python = ["/opt/facegan/bin/python", "-c", ASK, *asked]
    said = engine.containers.run(stack.image, entrypoint=python, network=network, remove=True)
    return set(said.decode().split())


def test_of_eight_writers_one_wins(stack: Stack) -> None:
    stores = [open_store(stack.typed["FACEGAN_STORE"]) for _ in range(WRITERS)]

    def write(writer: int) -> bool:
        return stores[writer].put_new(key, b"%d" % writer)

    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        for key in [f"race/{number}" for number in range(12)]:
            won = list(pool.map(write, range(WRITERS)))
            assert won.count(True) == 1
            assert stores[0].get(key) == b"%d" % won.index(True)


def test_an_upload_that_is_cut_off_leaves_nothing(stack: Stack) -> None:
    credentials: Any = boto3.session.Session().get_credentials()
    url = f"http://127.0.0.1:{stack.ports['store']}/facegan/cut"
    request = AWSRequest("PUT", url, data=b"x" * 100_000, headers={"Content-Length": "100000", "If-None-Match": "*"})
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", stack.ports["store"])) as line:
        line.sendall(f"PUT /facegan/cut HTTP/1.1\r\nHost: 127.0.0.1:{stack.ports['store']}\r\n{head}\r\n".encode())
        line.sendall(b"x" * 50_000)
        line.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            assert b" 200 " not in line.recv(100)
    with pytest.raises(NotFoundError):
        open_store(stack.typed["FACEGAN_STORE"]).get("cut")


def test_bytes_that_changed_on_the_way_are_refused(stack: Stack) -> None:
    client = boto3.session.Session().client("s3", endpoint_url=f"http://127.0.0.1:{stack.ports['store']}")
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(
            Bucket="facegan",
            Key="changed",
            Body=b"abc",
            ContentMD5=base64.b64encode(hashlib.md5(b"abd").digest()).decode(),
        )


@pytest.mark.parametrize(
    ("name", "says"), [("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"), ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId")]
)
def test_other_credentials_are_refused(stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.setenv(name, "somebody-elses")
    with pytest.raises(RefusedError, match=says):
        open_store(stack.typed["FACEGAN_STORE"]).put_new("not-mine", b"x")


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_it_keeps_the_whole_contract(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-m", "not long", ROOT / "tests" / "cloud" / "test_contract.py"],
        env={**os.environ, **stack.user, "FACEGAN_TEST_STORE": stack.typed["FACEGAN_STORE"]}, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of which four percent are free; the machine's own has to give next to nothing for it."""
    require(os.geteuid() == 0, "mounting a disk takes root")
    disk, at, size = tmp_path / "disk", tmp_path / "at", 4 << 30
    at.mkdir()
    with disk.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, at], check=True)
    try:
        with (at / "somebody-elses").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, int(shutil.disk_usage(at).total * 0.96))
        (at / "data").mkdir(mode=0o777)
        (at / "data").chmod(0o777)
        assert shutil.disk_usage(at).free / size < 0.05
        yield at / "data"
    finally:
        subprocess.run(["umount", at], check=True)


def test_a_store_begins_on_a_disk_that_is_nearly_full(stack: Stack, engine: Any, crowded: Path) -> None:
    """Five percent of a laptop's disk are a lot, and where Ceph by itself goes no further."""
    secret = stack.at / "infra" / ".secrets" / "store"
    store = engine.containers.run(
        IMAGES[0], detach=True, network_mode="none", read_only=True, cap_drop=["ALL"], tmpfs={"/tmp": ""},
        volumes={str(crowded): {"bind": "/data"}, str(secret): {"bind": "/run/secrets/store", "mode": "ro"}},
    )  # fmt: skip
    try:
        while store.exec_run(["test", "-e", "/tmp/ready"]).exit_code:
            store.reload()
            assert store.status == "running", store.logs(tail=20).decode()
            time.sleep(0.5)
    finally:
        store.remove(force=True)


def test_killed_and_taken_down_and_up_again_it_has_all_it_had(stack: Stack, trained: str) -> None:
    store = open_store(stack.typed["FACEGAN_STORE"])
    acknowledged = [f"kept/{number}" for number in range(20) if store.put_new(f"kept/{number}", b"%d" % number)]
    secrets = {path: path.read_bytes() for path in (stack.at / "infra").rglob(".secrets/*")}
    before = {bucket: keys(stack, bucket) for bucket in ("facegan", "mlflow")}
    stack.compose("kill", "-s", "KILL")
    stack.make("down")
    assert stack.volumes() == {"store", "database"}

    stack.make("up")
    assert {path: path.read_bytes() for path in secrets} == secrets
    assert {bucket: keys(stack, bucket) for bucket in before} == before
    assert [store.get(key) for key in acknowledged] == [b"%d" % number for number in range(20)]
    assert not store.put_new("kept/0", b"again")
    assert json.loads(stack.command("status", RUN, "--json"))["state"] == "finished"
    assert Server.open(stack.typed["FACEGAN_TRACKING"]).client.get_run(trained).info.run_name == RUN
