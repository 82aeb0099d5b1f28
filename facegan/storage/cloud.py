"""What the stores of the clouds share: their URLs, the proof of the condition, and how slow is too slow."""

from __future__ import annotations

import io
import re
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from facegan.errors import BadInputError, UnreachableError
from facegan.storage.base import RefusedError, checked

PATIENCE_S = 30.0
SLOWEST_BYTES_S = 10_000
PIECE = 256 << 10
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A bucket, and the prefix below which the store's keys lie: empty, or with a `/` at its end."""

    scheme: str
    bucket: str
    prefix: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, url: str, options: Collection[str] = ()) -> Location:
        """Read `scheme://bucket/prefix?option=value&…`.

        Raises:
            BadInputError: it is not of that form, or holds a user or password.
        """
        scheme, _, rest = url.partition("://")
        place, _, query = rest.partition("?")
        given = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if "@" in place.partition("/")[0] or any("@" in value for value in given.values()):
            raise BadInputError(  # the URL is not repeated: it would put the password into a log
                f"the URL of a store, {scheme}://…, holds a user or password",
                hint="leave it out: credentials come from the environment (docs/storage.md)",
            )
        bucket, _, path = place.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise BadInputError(f'"{url}" names no bucket', hint=f"write {scheme}://bucket/prefix")
        if strange := sorted(set(given) - set(options)):
            known = f"it takes {', '.join(options)}" if options else f"write {scheme}://bucket/prefix"
            raise BadInputError(f'the URL of a store has no "{strange[0]}"', hint=known)
        prefix = path.strip("/")
        return cls(scheme=scheme, bucket=bucket, prefix=f"{checked(prefix)}/" if prefix else "", options=given)

    @property
    def url(self) -> str:
        """The URL, written in the one way all equal locations are."""
        query = "&".join(f"{name}={value}" for name, value in sorted(self.options.items()))
        path = f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")
        return f"{path}?{query}" if query else path

    def full(self, key: str) -> str:
        """The name in the bucket of the object at this key."""
        return self.prefix + checked(key)


class Condition:
    """Find out, before its first answer is trusted, whether a store creates an object only once.

    There are servers that take the condition and ignore it. So the first object a process creates is
    asked for again with the same bytes, and the store must say that it exists.

    The crash argument: killed between the two requests, the object is there, whole, and as it was meant;
    when only the second is not answered, the caller asks again, is told that the object exists, and
    finds its own bytes in it. On a store that ignores the condition every process comes to a refusal
    at its first entry, so there never is a ledger in it that could be overwritten.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def put_new(self, create: Callable[[], bool]) -> bool:
        """Create an object by this request, once proven.

        Raises:
            RefusedError: the store said twice that it created the object.
        """
        created = create()
        if self._url in _PROVEN:
            return created
        if created and create():
            raise RefusedError(
                f"{self._url} accepts the condition that an object must not exist yet, and ignores it",
                hint="no run is safe there: choose another --store (docs/storage.md says which are known to work)",
            )
        _PROVEN.add(self._url)
        return created


_PROVEN: set[str] = set()


def give_promptly(raw: Any, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401 - urllib3's answer
    """Let an answer's body be read as it comes in, and give one up that trickles.

    urllib3's own `stream` and `read` wait for all they were asked for, and each byte that comes sets the
    time-out for reading back: a line that drips would hold a session for hours.

    A read raises `UnreachableError` when fewer bytes came than a bad line would have carried.
    """
    if not hasattr(raw, "read1"):
        return  # before urllib3 2

    def stream(amt: int = PIECE, decode_content: bool | None = None) -> Iterator[bytes]:
        began, got = clock(), 0
        while piece := raw.read1(amt, decode_content=decode_content):
            got += len(piece)
            if clock() - began > PATIENCE_S + got / SLOWEST_BYTES_S:
                raise UnreachableError(f"the storage sent only {got:,} bytes in {clock() - began:.0f} s")
            yield piece

    def read(amt: int | None = None, decode_content: bool | None = None, **_: object) -> bytes:
        if amt is not None:
            return bytes(raw.read1(amt, decode_content=decode_content))
        whole = io.BytesIO()  # holds the bytes once, where a list of pieces and their sum are twice as many
        for piece in stream(decode_content=decode_content):
            whole.write(piece)
        return whole.getvalue()

    raw.stream, raw.read = stream, read
