"""How the service says no, and how it spells what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
RATE_LIMITED = 429
SERVER_ERROR = 500
IN_HTML = (200, RATE_LIMITED, 502, 503)


class ApiError(Exception):
    """An answer that is an error: JSON with `code` and `message`, or nothing but its status."""

    def __init__(self, code: int, message: str, *, empty: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.empty = code, message, empty


def denied(permission: str) -> ApiError:
    """Missing and forbidden are one answer [F]; the words are those the official client quotes [S]."""
    return ApiError(403, f"Permission '{permission}' was denied")


def slugified(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def as_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_duration(seconds: float) -> str:
    return f"{seconds:.3f}s" if seconds % 1 else f"{int(seconds)}s"


def page_of(items: list[Any], body: Json, *, most: int, usual: int = 20) -> tuple[list[Any], str]:
    """One page, and the token of the next or an empty string."""
    size = min(int(body.get("pageSize") or usual), most)
    first = int(body.get("pageToken") or (max(int(body.get("page") or 1), 1) - 1) * size)
    rest = first + size < len(items)
    return items[first : first + size], str(first + size) if rest else ""


def without_defaults(answer: Any) -> Any:
    """As the client's own serialiser leaves them out [S]: an enum's first value too."""
    if isinstance(answer, dict):
        kept = {key: without_defaults(value) for key, value in answer.items()}
        return {key: value for key, value in kept.items() if value not in (None, "", 0, [], {}, "QUEUED")}
    return [without_defaults(item) for item in answer] if isinstance(answer, list) else answer


def html(code: int) -> str:
    """What stands in front of the service answers in HTML, which no JSON parser can read [F].

    Even with status 200: nothing else explains the "Expecting value: line 1 column 1" of the official client, which
    looks at the status before it reads what it was not told is JSON [S].
    """
    return f"<!DOCTYPE html><html><head><title>{code}</title></head><body>Error {code}</body></html>"
