"""A place's HTTP interface, asked with JSON and answered with JSON, by the standard library.

A redirect is refused: it would carry the request, and the key in it, to a host that was not asked for. What is no
answer (silence, a broken server, a page for browsers) is `Uncertain`, of which nothing is concluded.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from facegan.experiment import Json
from jobs.backends.answers import AGAIN
from jobs.errors import JobError
from jobs.refusals import Uncertain

LARGEST_ANSWER = 64 * 2**20
SAYS_NOTHING = (408, 425)  # and everything from 500 on: the request may or may not have done its work
ERROR, BROKEN = 400, 500

Answer = TypeVar("Answer")


class AnswerError(JobError):
    """An answer that refuses; `status` is HTTP's."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key is for the host that was asked."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A place of this `name` at `address`, as whoever has this `key` sees it; one answer is waited for `timeout_s`.

    Raises, in `ask`:
        AnswerError: it answers, and the answer is no.
        Uncertain: it does not answer, or not in a way that says anything.
    """

    name: str
    address: str
    key: str = field(repr=False)
    timeout_s: float = 30.0

    def ask(self, verb: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """One request, sent once; what is answered, `None` for an empty answer."""
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}{path}{asked}", data=data, method=verb)  # noqa: S310 - theirs
        request.add_header("Content-Type", "application/json")
        request.add_header("User-Agent", "facegan-job")
        request.add_unredirected_header("Authorization", f"Bearer {self.key}")
        opener = urllib.request.build_opener(NoRedirect)
        try:
            with self._or_silence(lambda: opener.open(request, timeout=self.timeout_s)) as answer:
                said = self._or_silence(lambda: answer.read(LARGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from error
        return self._read(said)

    def _or_silence(self, ask: Callable[[], Answer]) -> Answer:
        return or_silence(self.name, AGAIN, ask)

    def _read(self, data: bytes) -> Any:  # noqa: ANN401
        try:
            return json.loads(data) if data else None
        except ValueError as error:
            raise Uncertain(f"{self.name} answers something that is not JSON", hint=AGAIN) from error

    def _refused(self, error: urllib.error.HTTPError) -> AnswerError | Uncertain:
        status = error.code
        if status in SAYS_NOTHING or status >= BROKEN or status < ERROR:
            return Uncertain(f"{self.name} answers {status}, which says nothing", hint=AGAIN)
        return AnswerError(_words(error) or f"{self.name} answers {status}", status)


def or_silence(name: str, hint: str, ask: Callable[[], Answer]) -> Answer:
    """What this gives; no answer is one kind of error, whatever broke. An answer that refuses is the caller's."""
    try:
        return ask()
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise Uncertain(f"{name} does not answer: {reason}", hint=hint) from error


def _words(error: urllib.error.HTTPError) -> str:
    """The place's words in the body of an error; none, where the body is a page for browsers, or lost."""
    try:
        body = json.loads(error.read(LARGEST_ANSWER))
    except (OSError, http.client.HTTPException, ValueError):
        return ""
    if not isinstance(body, dict):
        return ""
    issues = body.get("issues")
    more = [str(each.get("message")) for each in issues if isinstance(each, dict)] if isinstance(issues, list) else []
    return ": ".join(word for word in (str(body.get("message") or ""), *more) if word)
