"""No credential leaves the process but to whom it is for: planted in every slot, and searched for everywhere."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Collection, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from facegan.storage import open_store
from tests.cloud import servers
from tests.security.canaries import Haystack, arguments_of_everyone, canary, forms

RUN = "watched"
SHORT = (
    "training.steps=6", "training.batch_size=8", "training.threads=1", "checkpoint.every_steps=3",
    "samples.every_steps=3", "samples.count=4", "evaluation.metric=none",
)  # fmt: skip
SLOTS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD",
    "KAGGLE_KEY", "KAGGLE_API_TOKEN", "PAPERSPACE_API_KEY",
)  # fmt: skip
ELSEWHERE = ("file-of-aws", "config-of-aws", "key-of-google", "uri-of-mlflow", "url-of-the-store")
SECRETS = {slot: canary(slot) for slot in (*SLOTS, *ELSEWHERE)}
PASSWORD = urllib.parse.quote(SECRETS["uri-of-mlflow"], safe="")
WRONG_URLS = (
    "s3://user:{}@bucket/a",
    "s3://bucket/a?endpoint=https://user:{}@host",
    "s3://bucket/a?password={}",
    "gs://user:{}@bucket/a",
    "https://user:{}@host/bucket",
    "file://user:{}@host/folder",
)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_search_finds_a_secret_in_every_form(secret: str) -> None:
    inside = [base64.b64encode(b"." * before + secret.encode() + b"...") for before in range(6)]
    inside += [base64.urlsafe_b64encode(b"." * before + secret.encode()) for before in range(6)]
    inside += [secret.encode(), urllib.parse.quote(secret, safe="").encode(), secret.encode().hex().encode()]
    for data in inside:
        haystack = Haystack(secrets={"it": secret})
        haystack.search("there", data)
        assert haystack.found, data
    assert len({len(form) for form in forms(secret).values()}) > 1
    haystack = Haystack(secrets={"it": secret})
    haystack.search("there", b"Canary of another kind" * 1_000)
    assert not haystack.found


@pytest.fixture
def planted(boring_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a secret in every place where one may be; its FACEGAN_HOME."""
    for slot in SLOTS:
        monkeypatch.setenv(slot, SECRETS[slot])
    user = tmp_path / "user"
    (user / ".aws").mkdir(parents=True)
    keys = f"aws_access_key_id = somebody\naws_secret_access_key = {SECRETS['file-of-aws']}\n"
    (user / ".aws" / "credentials").write_text(f"[default]\n{keys}")
    (user / ".aws" / "config").write_text(f"[profile work]\n{keys.replace('file-of', 'config-of')}")
    key = user / "google.json"
    key.write_text(
        json.dumps({"type": "service_account", "private_key": SECRETS["key-of-google"], "client_email": "a@b"})
    )
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv("FACEGAN_DEBUG", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    return boring_environment


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with servers.moto() as url:
        yield url


@pytest.fixture(scope="module")
def closed_server() -> Iterator[str]:
    """A server that lets nobody in, whatever they ask; its host and port."""

    class Closed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"no")

        do_POST = do_GET  # noqa: N815 - its name

        def log_message(self, *_what: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Terminal:
    """Where commands are typed; all they say is searched."""

    def __init__(self, folder: Path, haystack: Haystack) -> None:
        self._folder = folder
        self._haystack = haystack

    def type(self, *arguments: str, codes: Collection[int] = (0,), program: str = "", **environment: str) -> str:
        program = program or "from jobs.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **environment},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        what = " ".join(arguments)
        self._haystack.search(f"what `{what}` says", done.stdout + done.stderr)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode in codes, f"{what}: {said}"
        return said


@pytest.fixture
def haystack(tmp_path: Path) -> Haystack:
    del tmp_path
    return Haystack(secrets=SECRETS)


@pytest.fixture
def terminal(planted: Path, tmp_path: Path, haystack: Haystack) -> Terminal:
    del planted
    folder = tmp_path / "project"
    folder.mkdir()
    return Terminal(folder, haystack)


def assert_clean(haystack: Haystack, home: Path, project: Path, arguments: set[bytes]) -> None:
    haystack.search_below(home)
    haystack.search_below(project)
    haystack.search("the arguments of processes", b"\n".join(arguments))
    assert haystack.searched > 10_000
    assert not haystack.found


def test_a_whole_run_leaves_no_secret_anywhere(
    planted: Path, terminal: Terminal, haystack: Haystack, moto: str, tmp_path: Path
) -> None:
    """Submitted, trained, looked at from all sides, and copied to MLflow, on S3."""
    servers.require("tensorflow", "mlxtend", "mlflow", "boto3")
    store = f"s3://{servers.BUCKET}/watched?endpoint={moto}"
    place: Mapping[str, str] = {"FACEGAN_STORE": store}
    changes = [word for change in SHORT for word in ("--set", change)]
    with arguments_of_everyone() as arguments:
        terminal.type("submit", "dcgan-mnist", "--name", RUN, *changes, "--dry-run", "--json", **place)
        terminal.type("submit", "dcgan-mnist", "--name", RUN, *changes, "--json", **place)
        for command in (
            ["ps"], ["ps", "--json"], ["status", RUN, "--json"], ["logs", RUN], ["verify", RUN, "--json"],
            ["sync", RUN], ["doctor", "--json"], ["init"],
        ):  # fmt: skip
            terminal.type(*command, codes=(0, 1), **place)
    for key, data in everything(store).items():
        haystack.search(key, data)
    assert any(key.endswith("state.safetensors") for key in everything(store))
    assert (planted / "mlflow" / "mlflow.db").stat().st_size > 0
    assert any(f"runs/{RUN}".encode() in line for line in arguments), "the session was seen"
    assert_clean(haystack, planted, tmp_path / "project", arguments)


def everything(store: str) -> dict[str, bytes]:
    opened: Any = open_store(store)
    return {key: opened.get(key) for key in opened.list("")}


def test_what_fails_says_no_secret(
    planted: Path, terminal: Terminal, haystack: Haystack, moto: str, closed_server: str, tmp_path: Path
) -> None:
    servers.require("mlflow", "boto3", "google.cloud.storage")
    store = f"s3://{servers.BUCKET}/failing?endpoint={moto}"
    place: Mapping[str, str] = {"FACEGAN_STORE": store}
    tracking = {"FACEGAN_TRACKING": f"http://user:{PASSWORD}@{closed_server}"}
    broken = (
        "import jobs.runs\n"
        "def live(context): raise RuntimeError('a defect')\n"
        "jobs.runs.live = live\n"
        "from jobs.cli import main; main()"
    )
    with arguments_of_everyone() as arguments:
        terminal.type("status", "nothing", codes=(102,), **place)
        terminal.type("verify", "nothing", "--json", codes=(102,), **place)
        assert "Traceback" in terminal.type("ps", codes=(1,), program=broken, **place)
        terminal.type("ps", codes=(1,), FACEGAN_STORE=f"s3://no-such-bucket?endpoint={moto}")
        terminal.type("ps", codes=(1,), FACEGAN_STORE="gs://bucket")
        terminal.type("doctor", "--json", codes=(1,), FACEGAN_STORE="gs://bucket", **tracking)
        terminal.type("init", **place, **tracking)
        terminal.type("ui", **place, **tracking)
        create(store)
        terminal.type("sync", "--json", codes=(1,), **place, **tracking)
    for key, data in everything(store).items():
        haystack.search(key, data)
    assert_clean(haystack, planted, tmp_path / "project", arguments)


def create(store: str) -> None:
    """A run to be copied."""
    from tests.unit.jobs import world

    world.finished(open_store(store))


@pytest.mark.parametrize("url", WRONG_URLS)
@pytest.mark.parametrize("secret", ["url-of-the-store", "with-@-inside"])
def test_a_url_with_a_secret_is_not_repeated(terminal: Terminal, haystack: Haystack, url: str, secret: str) -> None:
    """Typed into the environment, as it is and encoded."""
    password = SECRETS.get(secret, canary(secret))
    haystack.secrets = {secret: password}
    terminal.type("ps", codes=(2,), FACEGAN_STORE=url.format(password))
    terminal.type("ps", codes=(2,), FACEGAN_STORE=url.format(urllib.parse.quote(password, safe="")))
    assert not haystack.found
