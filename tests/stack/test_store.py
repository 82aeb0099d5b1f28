"""The stack's S3 server: its condition holds in a race, it takes nothing by halves, and it knows who asks."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import hashlib
import os
import socket
import subprocess
import sys
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from facegan.storage import open_store
from facegan.storage.base import NotFoundError, RefusedError
from tests.stack.world import ROOT, Stack

WRITERS = 8


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
@pytest.mark.timeout(600)
def test_it_keeps_the_whole_contract(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-m", "not long", ROOT / "tests" / "cloud" / "test_contract.py"],
        env={**os.environ, **stack.user, "FACEGAN_TEST_STORE": stack.typed["FACEGAN_STORE"]}, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
