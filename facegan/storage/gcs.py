"""A store in a bucket of Google Cloud Storage: `gs://bucket/prefix`.

Credentials are those of the environment (a VM's service account, `gcloud auth application-default login`,
`GOOGLE_APPLICATION_CREDENTIALS`); `STORAGE_EMULATOR_HOST` leads to an emulator instead, without any.

The crash argument: an object is seen when its upload is complete, whole or not at all; `put_new` adds the
condition that the object has no generation yet, so that of all requests for one name, late ones included,
one succeeds. It is always a single request: there are servers that forget the condition of a resumable
one. The SDK repeats nothing by itself. An answer that was lost is an `UnreachableError`; whoever asks
again for what had been created is told 412, that is False, and reads what is there.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator
from typing import Any

import requests.exceptions
import urllib3.exceptions
from google.api_core import exceptions as failures
from google.auth import exceptions as auth
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption

from facegan.errors import FaceganError, UnreachableError
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

CHUNK = 8 << 20  # larger objects go up in pieces of this; the SDK sends smaller ones in a single request
CONNECT_S = 5.0
READ_S = 30.0
SLOWEST_BYTES_S = 150_000  # a piece is one write of the socket, which must end within the first time-out

UNANSWERED_STATUS = {408, 409, 429}
EXPIRED_STATUS = 401  # of a token that was good; one that was never good is found out before anything is asked
LOGIN = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
HINTS = {
    401: LOGIN,
    403: "docs/storage.md has the roles it takes",
    404: "make the bucket first, or correct its name",
}


class GcsStore(ObjectStore):
    """Objects below a prefix of a bucket. Safe to use from several threads."""

    def __init__(self, location: Location) -> None:
        self.url = location.url
        self._at = location
        self._condition = Condition(self.url)

    @classmethod
    def open(cls, url: str) -> GcsStore:
        return cls(Location.parse(url))

    def get(self, key: str, *, at_most: int = LARGEST) -> bytes:
        full = self._at.full(key)
        with self._errors_of(key):
            try:
                return self._download(full, at_most, checksum="auto")
            except DataCorruption:
                # On the way here, or in the store: what comes the second time is for the caller to judge,
                # who knows a checkpoint's digest and an entry's.
                return self._download(full, at_most, checksum=None)
            except failures.NotFound:
                self._require_bucket()
                raise NotFoundError(f'no object "{key}" in {self.url}') from None

    def put(self, key: str, data: bytes) -> None:
        full = self._at.full(key)
        with self._errors_of(key):
            self._upload(full, data)

    def put_new(self, key: str, data: bytes) -> bool:
        full = self._at.full(key)
        if len(data) > CHUNK:
            raise RefusedError(f'"{key}" has {len(data):,} bytes: {CHUNK:,} are created by a single request, not more')
        with self._errors_of(key):
            return self._condition.put_new(lambda: self._create(full, data))

    def list(self, prefix: str, *, after: str = "") -> Iterator[str]:
        start = {"start_offset": self._at.prefix + after} if after else {}
        with self._errors_of(prefix):
            found = self._listing(prefix, fields="items(name),nextPageToken", **start)
            keys = [blob.name.removeprefix(self._at.prefix) for blob in found]
        # The offset itself is part of the answer.
        return iter(in_order(keys, after=after))

    def sizes(self, prefix: str) -> dict[str, int]:
        with self._errors_of(prefix):
            listed = self._listing(prefix, fields="items(name,size),nextPageToken")
            found = {blob.name.removeprefix(self._at.prefix): int(blob.size or 0) for blob in listed}
        return {key: found[key] for key in in_order(found)}

    def times(self, prefix: str) -> dict[str, float]:
        with self._errors_of(prefix):
            listed = self._listing(prefix, fields="items(name,updated),nextPageToken")
            found = {blob.name.removeprefix(self._at.prefix): float(blob.updated.timestamp()) for blob in listed}
        return {key: found[key] for key in in_order(found)}

    def folders(self, prefix: str) -> Iterator[str]:
        skipped = len(self._at.prefix + prefix)
        with self._errors_of(prefix):
            found = self._listing(prefix, fields="prefixes,nextPageToken", delimiter="/")
            names = {name[skipped:-1] for page in found.pages for name in page.prefixes}
        return iter(sorted(names, key=str.encode))

    def delete(self, key: str) -> None:
        full = self._at.full(key)
        with self._errors_of(key), contextlib.suppress(failures.NotFound):
            self._blob(full).delete(timeout=_timeout(0), retry=None)

    @functools.cached_property
    def _client(self) -> Any:  # noqa: ANN401 - the SDK has no types
        client = storage.Client(project=None)  # no object needs one
        # The SDK has no public names for these. It would ask beside us what project the bucket belongs to.
        client._bucket_metadata_cache = None  # noqa: SLF001
        client._http.hooks["response"].append(lambda answer, **_: give_promptly(answer.raw))  # noqa: SLF001
        return client

    def _blob(self, full: str, **how: int) -> Any:  # noqa: ANN401
        return self._client.bucket(self._at.bucket).blob(full, **how)

    def _listing(self, prefix: str, **how: Any) -> Any:  # noqa: ANN401
        within = self._at.prefix + prefix
        return self._client.list_blobs(self._at.bucket, prefix=within or None, timeout=_timeout(0), retry=None, **how)

    def _create(self, full: str, data: bytes) -> bool:
        try:
            self._upload(full, data, if_generation_match=0)
        except failures.PreconditionFailed:
            return False
        return True

    def _upload(self, full: str, data: bytes, **condition: int) -> None:
        self._blob(full, chunk_size=CHUNK).upload_from_string(
            bytes(data),
            content_type="application/octet-stream",
            checksum="auto",
            timeout=_timeout(len(data)),
            retry=None,
            **condition,
        )

    def _download(self, full: str, at_most: int, *, checksum: str | None) -> bytes:
        whole = _Bounded(full, at_most)
        self._blob(full).download_to_file(whole, raw_download=True, checksum=checksum, timeout=_timeout(0), retry=None)
        return whole.getvalue()

    def _require_bucket(self) -> None:
        """Tell a missing object from a missing bucket, which are one status.

        Raises:
            failures.NotFound: there is no such bucket.
        """
        next(iter(self._listing("", max_results=1, fields="items(name)")), None)

    @contextlib.contextmanager
    def _errors_of(self, key: str) -> Iterator[None]:
        """Say what the SDK said, in the port's words."""
        try:
            yield
        except failures.GoogleAPICallError as error:
            raise self._answer(error, key) from error
        except auth.RefreshError as error:
            raise ExpiredError(
                f"the credentials for {self.url} are good no more: {error.args[0]}", hint=LOGIN
            ) from error
        except auth.DefaultCredentialsError as error:
            raise RefusedError(f"no credentials for {self.url}: {error.args[0]}", hint=LOGIN) from error
        except (
            failures.GoogleAPIError,
            auth.GoogleAuthError,
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            DataCorruption,
            OSError,
        ) as error:
            raise UnreachableError(f'{self.url} does not answer for "{key}": {error}') from error

    def _answer(self, error: failures.GoogleAPICallError, key: str) -> FaceganError:
        """What an answer other than success means."""
        status = int(error.code or 0)
        if status in UNANSWERED_STATUS or not 400 <= status < 500:  # noqa: PLR2004
            return UnreachableError(f'{self.url} cannot answer for "{key}" now: {status}')
        said = next((str(item["message"]) for item in error.errors if "message" in item), str(error.message))
        kind = ExpiredError if status == EXPIRED_STATUS else RefusedError
        return kind(f'{self.url} refuses "{key}": {status}: {said}', hint=HINTS.get(status))


class _Bounded(io.BytesIO):
    """Takes the bytes of a download, up to so many."""

    def __init__(self, key: str, at_most: int) -> None:
        super().__init__()
        self._key = key
        self._at_most = at_most

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer
        if self.tell() + len(data) > self._at_most:
            raise TooLargeError(self._key, self._at_most)
        return super().write(data)


def _timeout(size: int) -> tuple[float, float]:
    """For connecting or one write of so many bytes, and for each read."""
    return CONNECT_S + min(size, CHUNK) / SLOWEST_BYTES_S, READ_S
