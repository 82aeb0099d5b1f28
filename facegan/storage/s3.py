"""A store in an S3 bucket: of AWS, or of any service that speaks its protocol, by the endpoint's URL.

`s3://bucket/prefix`, with `?endpoint=https://host:port` and `&region=name` where needed. Without them the
standard variables and files of AWS count (`AWS_ENDPOINT_URL_S3`, `AWS_DEFAULT_REGION`, `AWS_PROFILE`, …), and
credentials come from those alone.

The crash argument: an object is written by one `PutObject`, which S3 shows whole or not at all; `put_new`
adds `If-None-Match: *`, so that of all requests for one key, late ones included, one succeeds. The SDK
repeats nothing by itself. An answer that was lost is an `UnreachableError`; whoever asks again for what
had been created is told 412, that is False, and reads what is there.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import io
from collections.abc import Iterator
from typing import Any

import boto3
import urllib3.exceptions
from botocore import exceptions as failures
from botocore.config import Config

from facegan.errors import BadInputError, FaceganError, UnreachableError
from facegan.storage.base import (
    LARGEST,
    ExpiredError,
    NotFoundError,
    ObjectStore,
    RefusedError,
    TooLargeError,
    in_order,
)
from facegan.storage.cloud import Condition, Location, give_promptly

SMALL = 64 << 10

CONFIG = Config(
    connect_timeout=5,  # botocore also ends a write of the socket by it: see `_body`
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 1},  # asking again is the business of `PatientStore`
    request_checksum_calculation="when_required",  # newer checksums are unknown to many services: Content-MD5 is not
    response_checksum_validation="when_required",
    tcp_keepalive=True,
)

UNANSWERED = {
    "BadDigest",
    "IncompleteBody",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
}
UNANSWERED_STATUS = {408, 409, 429}  # 409: another conditional request was under way; nobody has won yet
EXPIRED = {"ExpiredToken", "TokenRefreshRequired"}
NOT_IMPLEMENTED = 501

_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
HINTS = {
    "AccessDenied": "docs/storage.md has the policy it takes; facegan-job credentials policy prints it",
    "ExpiredToken": "these credentials were made for a limited time: make new ones",
    "InvalidAccessKeyId": f"{_KEYS}, for this service",
    "NoSuchBucket": "make the bucket first, or correct its name",
    "NotImplemented": "the service has no conditional writes: choose another --store (docs/storage.md)",
    "RequestTimeTooSkewed": "set this machine's clock",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
}
ELSEWHERE = "say where the bucket is: ?region=… in the URL, or AWS_DEFAULT_REGION"


class S3Store(ObjectStore):
    """Objects below a prefix of a bucket. Safe to use from several threads."""

    def __init__(self, location: Location) -> None:
        self.url = location.url
        self._at = location
        self._condition = Condition(self.url)

    @classmethod
    def open(cls, url: str) -> S3Store:
        return cls(Location.parse(url, options=("endpoint", "region")))

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        full = self._at.full(key)
        with self._errors_of(key):
            data, said = self._download(full, at_most)
            if said in {None, _md5(data).hex()}:
                return data
            # Not what was sent up. On the way here, or in the store: what comes the second time is for the
            # caller to judge, who knows a checkpoint's digest and an entry's.
            return self._download(full, at_most)[0]

    def put(self, key: str, data: bytes) -> None:
        full = self._at.full(key)
        with self._errors_of(key):
            self._upload(full, data)

    def put_new(self, key: str, data: bytes) -> bool:
        full = self._at.full(key)
        with self._errors_of(key):
            return self._condition.put_new(lambda: self._create(full, data))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        start = {"StartAfter": self._at.prefix + after} if after else {}
        with self._errors_of(prefix):
            pages = self._pages(prefix, **start)
            keys = [item["Key"].removeprefix(self._at.prefix) for page in pages for item in page.get("Contents", ())]
        # In order and after the start on AWS. The sort costs nothing then, and not every service is AWS.
        return iter(in_order(keys, after=after))

    def sizes(self, prefix: str) -> dict[str, int]:
        with self._errors_of(prefix):
            found = {
                item["Key"].removeprefix(self._at.prefix): int(item["Size"])
                for page in self._pages(prefix)
                for item in page.get("Contents", ())
            }
        return {key: found[key] for key in in_order(found)}

    def times(self, prefix: str) -> dict[str, float]:
        with self._errors_of(prefix):
            found = {
                item["Key"].removeprefix(self._at.prefix): float(item["LastModified"].timestamp())
                for page in self._pages(prefix)
                for item in page.get("Contents", ())
            }
        return {key: found[key] for key in in_order(found)}

    def folders(self, prefix: str) -> Iterator[str]:
        skipped = len(self._at.prefix + prefix)
        with self._errors_of(prefix):
            pages = self._pages(prefix, Delimiter="/")
            names = {found["Prefix"][skipped:-1] for page in pages for found in page.get("CommonPrefixes", ())}
        return iter(sorted(names, key=str.encode))

    def delete(self, key: str) -> None:
        full = self._at.full(key)
        with contextlib.suppress(NotFoundError), self._errors_of(key):
            self._client.delete_object(Bucket=self._at.bucket, Key=full)

    @functools.cached_property
    def _client(self) -> Any:  # noqa: ANN401 - the SDK makes its classes at run time
        where = self._at.options
        client = boto3.session.Session().client(
            "s3", endpoint_url=where.get("endpoint"), region_name=where.get("region"), config=CONFIG
        )
        send = functools.partial(_send, client._endpoint.http_session)  # noqa: SLF001 - it has no public name
        client.meta.events.register("before-send.s3", send)
        return client

    def _pages(self, prefix: str, **how: str) -> Iterator[dict[str, Any]]:
        pages: Iterator[dict[str, Any]] = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._at.bucket, Prefix=self._at.prefix + prefix, **how
        )
        return pages

    def _create(self, full: str, data: bytes) -> bool:
        try:
            self._upload(full, data, IfNoneMatch="*")
        except failures.ClientError as error:
            if _code(error) == "PreconditionFailed" or _status(error) == 412:  # noqa: PLR2004
                return False
            raise
        return True

    def _upload(self, full: str, data: bytes, **condition: str) -> None:
        if len(data) > LARGEST:
            raise RefusedError(
                f'"{full}" has {len(data):,} bytes, and S3 takes {LARGEST:,} in one put',
                hint="train a smaller model",
            )
        md5 = _md5(data)  # the service holds the bytes against the first, the reader against the second
        self._client.put_object(
            Bucket=self._at.bucket,
            Key=full,
            Body=_body(data),
            ContentMD5=base64.b64encode(md5).decode(),
            Metadata={"md5": md5.hex()},
            **condition,
        )

    def _download(self, full: str, at_most: int) -> tuple[bytes, str | None]:
        """The bytes, and the MD5 that was stored with them, if one was."""
        answer = self._found(full)
        size = answer["ContentLength"]
        if size > at_most:
            answer["Body"].close()  # unread: the connection is given up for it
            raise TooLargeError(full, at_most)
        data = answer["Body"].read()
        if len(data) != size:
            raise UnreachableError(f'only {len(data):,} of the {size:,} bytes of "{full}" came')
        return data, answer.get("Metadata", {}).get("md5")

    def _found(self, full: str) -> Any:  # noqa: ANN401 - the SDK's answer
        """The answer that has the object.

        S3 says "no right" of an object that is not there to whoever may not list the whole bucket. Who may list
        below a prefix is told the truth by a listing.
        """
        try:
            return self._client.get_object(Bucket=self._at.bucket, Key=full)
        except failures.ClientError as error:
            if _code(error) == "AccessDenied" and not self._is_listed(full):
                raise NotFoundError(f'no object "{full.removeprefix(self._at.prefix)}" in {self.url}') from error
            raise

    def _is_listed(self, full: str) -> bool:
        """Whether there is an object of this name. Who may not look is not told that there is none."""
        try:
            listed = self._client.list_objects_v2(Bucket=self._at.bucket, Prefix=full, MaxKeys=1)
        except failures.ClientError:
            return True
        return any(item["Key"] == full for item in listed.get("Contents", ()))

    @contextlib.contextmanager
    def _errors_of(self, key: str) -> Iterator[None]:
        """Say what the SDK said, in the port's words."""
        try:
            yield
        except failures.ClientError as error:
            raise self._answer(error, key) from error
        except failures.ParamValidationError as error:
            raise BadInputError(f'"{key}" in {self.url} cannot be asked for: {error}') from error
        except (failures.NoCredentialsError, failures.PartialCredentialsError, failures.ProfileNotFound) as error:
            raise RefusedError(f"no credentials for {self.url}: {error}", hint=_KEYS) from error
        except (failures.TokenRetrievalError, failures.SSOError, failures.UnauthorizedSSOTokenError) as error:
            raise ExpiredError(f"no credentials for {self.url}: {error}", hint="aws sso login") from error
        except (failures.BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(f'{self.url} does not answer for "{key}": {error}') from error

    def _answer(self, error: failures.ClientError, key: str) -> FaceganError:
        """What an answer other than success means."""
        code, status = _code(error), _status(error)
        if code == "NoSuchKey":
            return NotFoundError(f'no object "{key}" in {self.url}')
        if code in UNANSWERED or status in UNANSWERED_STATUS or (status >= 500 and status != NOT_IMPLEMENTED):  # noqa: PLR2004
            return UnreachableError(f'{self.url} cannot answer for "{key}" now: {code}')
        if status == 404 and code != "NoSuchBucket":  # noqa: PLR2004 - of a proxy, say: not about the object
            return UnreachableError(f'{self.url} answers "{code}" for "{key}", which says nothing of the object')
        said = error.response.get("Error", {}).get("Message") or code
        hint = HINTS.get(code) or (ELSEWHERE if status in {301, 307, 400} and "egion" in said else None)
        kind = ExpiredError if code in EXPIRED else RefusedError
        return kind(f'{self.url} refuses "{key}": {code}: {said}', hint=hint)


def _send(session: Any, request: Any, **_: object) -> Any:  # noqa: ANN401
    """What the SDK would do at this point, but for leaving the body to be read as it comes in."""
    request.stream_output = True
    answer = session.send(request)
    give_promptly(answer.raw)
    return answer


def _code(error: failures.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: failures.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _body(data: bytes) -> bytes | io.BytesIO:
    """Bytes go out by one write of the socket, which must end within a time-out; a file goes in small pieces."""
    return bytes(data) if len(data) <= SMALL else io.BytesIO(data)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
