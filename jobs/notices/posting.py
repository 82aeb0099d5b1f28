"""Posting a notice to an address: reached by name alone, because what it takes is half of what a command loads."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

from jobs.notices.events import NotSentError


class _NoDetour(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: what was meant for one address is posted to nobody else."""

    def redirect_request(self, *_: object) -> None:
        return None


def post(url: str, data: bytes, patience_s: float) -> None:
    """Post the JSON, and wait until it is taken.

    Raises:
        NotSentError: it was not; says why, without the address, which may be a secret.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "facegan-job"}
    request = urllib.request.Request(url, data=data, headers=headers, method="POST")  # noqa: S310 - checked where it is set
    where = urllib.parse.urlsplit(url).hostname
    try:
        with urllib.request.build_opener(_NoDetour).open(request, timeout=patience_s) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        raise NotSentError(f"{where} answered {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise NotSentError(f"{where} does not answer: {type(error).__name__}") from None
