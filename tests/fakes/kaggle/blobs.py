"""Uploads that can be broken off and gone on with, and are named by a token afterwards."""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.kaggle.answers import ApiError, Json

RESUME_INCOMPLETE = 308


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """One upload: what it will be called, how long it must be, and the file that holds what has come of it."""

    owner: str
    name: str
    length: int
    path: Path

    def has(self) -> int:
        return self.path.stat().st_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The answer to a PUT: 200 when all is there, otherwise 308 with the range that is."""

    code: int
    range: str | None = None


class Blobs:
    """Uploads begun and done. A create URL needs no authorization: who has it may write [S]."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._by_token: dict[str, Blob] = {}
        self._lock = threading.Lock()

    def start(self, owner: str, body: Json) -> str:
        if body.get("type") not in {"DATASET", "MODEL", "INBOX"} or not body.get("name"):
            raise ApiError(400, "Blob type and name are required")
        token = secrets.token_urlsafe(24)
        path = self._folder / token
        path.touch()
        name = Path(str(body["name"])).name
        self._by_token[token] = Blob(owner=owner, name=name, length=int(body.get("contentLength", 0)), path=path)
        return token

    def put(self, token: str, content_range: str, data: bytes) -> Progress:
        """Take a part. `content_range` is empty, `bytes */N` (asking), or `bytes A-B/N`."""
        blob = self._by_token.get(token)
        if blob is None:
            raise ApiError(404, "Upload not found")
        with self._lock:
            if not content_range:
                blob.path.write_bytes(data)
            elif part := re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range):
                if int(part[1]) != blob.has():
                    return _so_far(blob)
                with blob.path.open("ab") as file:
                    file.write(data)
            return Progress(code=200) if blob.has() >= blob.length else _so_far(blob)

    def taken(self, owner: str, token: str) -> Blob:
        """A whole upload of this owner. Raises `ApiError` 400 for any other."""
        blob = self._by_token.get(token)
        if blob is None or blob.owner != owner or blob.has() != blob.length:
            raise ApiError(400, "Invalid token")
        return blob


def _so_far(blob: Blob) -> Progress:
    return Progress(code=RESUME_INCOMPLETE, range=f"bytes=0-{blob.has() - 1}" if blob.has() else None)
