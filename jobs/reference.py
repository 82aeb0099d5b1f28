"""What an image is called: a repository, and a tag or a digest (github.com/distribution/reference)."""

from __future__ import annotations

from collections.abc import Iterable

_HUB = ("docker.io/", "index.docker.io/")
_OFFICIAL = "library/"


def split(named: str) -> tuple[str, str]:
    """Repository, and tag or nothing. A colon before the last slash is that of a port.

    >>> split("localhost:5000/me/faces:1.0")
    ('localhost:5000/me/faces', '1.0')
    """
    named = named.partition("@")[0]
    folders, slash, last = named.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folders}{slash}{name}", tag


def digest(named: str, known: Iterable[str]) -> str | None:
    """Of the digests by which an engine knows an image, the one of the repository that it was named by, or `None`.

    One image may be in several repositories, under several digests even: who can pull from one of them may not be
    able to from another.

    >>> digest("me/faces:1", ["ghcr.io/me/faces@sha256:a", "me/faces@sha256:b"])
    'me/faces@sha256:b'
    """
    there = [one for one in known if _familiar(one) == _familiar(named)]
    wanted = named.partition("@")[2]
    return next((one for one in there if wanted and one.endswith(f"@{wanted}")), there[0] if there else None)


def _familiar(named: str) -> str:
    """The repository as engines call it: those of the hub without the hub."""
    name = split(named)[0]
    for hub in _HUB:
        name = name.removeprefix(hub)
    return name.removeprefix(_OFFICIAL)
