"""URLs of clouds, missing packages, missing credentials, and what no cloud takes: all without a server."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from facegan import layout
from facegan.errors import BadInputError, FaceganError, UnreachableError
from facegan.storage import NotFoundError, RefusedError, open_store
from facegan.storage.base import ExpiredError
from tests.cloud import servers


@pytest.fixture(autouse=True)
def sdks() -> None:
    servers.require("boto3", "google.cloud.storage")


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3://bucket/a?region=r&endpoint=http://h:1", "s3://bucket/a?endpoint=http://h:1&region=r"),
        ("gs://bucket.example.com/a b", "gs://bucket.example.com/a b"),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, same: str) -> None:
    store = open_store(url)
    assert store.url == same
    assert open_store(store.url).url == same
    assert layout.split_run_url(layout.run_url(store.url, "a-run")) == (same, "a-run")


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///a", "gs://", "s3://b", "s3://bucket/a//b", "s3://bucket/../b", "s3://bucket?colour=red",
     "gs://bucket?endpoint=http://h", "s3://buck et/a"],
)  # fmt: skip
def test_a_url_that_does_not_is_bad_input(url: str) -> None:
    with pytest.raises(BadInputError):
        open_store(url)


@pytest.mark.parametrize("url", ["s3://key:SECRET@bucket/a", "s3://bucket?endpoint=https://key:SECRET@host"])
def test_a_url_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInputError) as refused:
        open_store(url)
    assert "SECRET" not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(("scheme", "extra", "module"), [("s3", "aws", "boto3"), ("gs", "gcp", "google.cloud")])
def test_a_missing_package_is_named_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str, module: str
) -> None:
    for name in [name for name in sys.modules if name.startswith(("facegan.storage.s3", "facegan.storage.gcs"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(FaceganError, match="not installed") as missing:
        open_store(f"{scheme}://bucket")
    assert missing.value.hint == f"pip install 'facegan-job[{extra}]'"


def test_no_credentials_are_a_refusal_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(RefusedError, match="no credentials") as refused:
        open_store("s3://bucket?endpoint=http://127.0.0.1:9").get("a")
    assert "AWS_ACCESS_KEY_ID" in str(refused.value.hint)


def test_nobody_there_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{servers.free_port()}")
    for url in (f"s3://bucket?endpoint=http://127.0.0.1:{servers.free_port()}", "gs://bucket"):
        with pytest.raises(UnreachableError):
            open_store(url).get("a")


@pytest.mark.parametrize(
    ("status", "code", "kind", "hint"),
    [
        (400, "ExpiredToken", ExpiredError, "limited time"),
        (403, "RequestTimeTooSkewed", RefusedError, "clock"),
        (403, "InvalidAccessKeyId", RefusedError, "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", RefusedError, "secret"),
        (404, "NoSuchBucket", RefusedError, "make the bucket"),
        (404, "NoSuchKey", NotFoundError, ""),
        (404, "404", UnreachableError, ""),
        (501, "NotImplemented", RefusedError, "conditional"),
        (400, "BadDigest", UnreachableError, ""),
        (400, "RequestTimeout", UnreachableError, ""),
        (409, "ConditionalRequestConflict", UnreachableError, ""),
        (503, "SlowDown", UnreachableError, ""),
        (400, "SomethingNew", RefusedError, ""),
    ],
)
def test_what_s3_answers_is_understood(status: int, code: str, kind: type[FaceganError], hint: str) -> None:
    from botocore.exceptions import ClientError

    store: Any = open_store("s3://bucket")
    answer = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    found = store._answer(ClientError(answer, "GetObject"), "a")
    assert type(found) is kind
    assert hint in str(found.hint)


def test_what_no_put_takes_is_refused_before_it_is_sent() -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return (5 << 30) + 1

    with pytest.raises(RefusedError, match="5,368,709,121 bytes"):
        open_store("s3://bucket?endpoint=http://127.0.0.1:9").put("a", Huge())
    with pytest.raises(RefusedError, match="single request"):
        open_store("gs://bucket").put_new("a", Huge())
