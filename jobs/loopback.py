"""Stores that this machine calls its own: on any other machine, a loopback address is that machine."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from facegan.errors import BadInputError

VARIABLES = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), "gs": ("STORAGE_EMULATOR_HOST",)}
"""Where the SDKs of a scheme look for an endpoint that the store's URL does not name, in their order."""


def is_loopback(host: str | None) -> bool:
    return host is not None and (host in {"localhost", "::1"} or host.startswith("127."))


def is_loopback_url(url: str) -> bool:
    return is_loopback(urllib.parse.urlsplit(url).hostname)


def of_store(url: str, environment: Mapping[str, str]) -> str | None:
    """The store's endpoint, as host and port, if it is on loopback."""
    parts = urllib.parse.urlsplit(url)
    named = urllib.parse.parse_qs(parts.query).get("endpoint", [])
    named += [environment[name] for name in VARIABLES.get(parts.scheme, ()) if environment.get(name)]
    if not named:
        return None
    endpoint = urllib.parse.urlsplit(named[0] if "://" in named[0] else f"http://{named[0]}")
    return endpoint.netloc.rpartition("@")[2] if is_loopback(endpoint.hostname) else None


def require_elsewhere(who: str, url: str, environment: Mapping[str, str]) -> None:
    """Refuse a store on loopback for those who are on another machine.

    Raises:
        BadInputError: its endpoint is this machine's own.
    """
    if (endpoint := of_store(url, environment)) is not None:
        raise BadInputError(
            f'{who} cannot reach the store "{url}": its endpoint {endpoint} is this machine\'s own',
            hint="choose a bucket that is reached from there too (docs/storage.md): --store s3://BUCKET/PREFIX",
        )
