"""Where the running code comes from: the commit, when it is exactly that, and the place that others get it from."""

from __future__ import annotations

import subprocess
import urllib.parse
from pathlib import Path

import jobs

_ROOT = Path(jobs.__file__).parents[1]
_SHIPPED = ("facegan", "jobs", "infra", "Dockerfile", "pyproject.toml", "README.md")
_WEB = ("http", "https", "ssh", "git")


def revision() -> str | None:
    """The commit that the running code is, or `None`: it was changed since, or lies in no checkout."""
    if not (_ROOT / "jobs").is_dir() or _git("status", "--porcelain", "--", *_SHIPPED) != "":
        return None
    return _git("rev-parse", "HEAD")


def source() -> str | None:
    """URL of the checkout's `origin`, as anybody may know it, or `None`."""
    remote = _git("remote", "get-url", "origin")
    return public(remote) if remote else None


def public(remote: str) -> str | None:
    """A remote's URL without user, password and query; `None` for a folder of this machine.

    >>> public("https://me:secret@example.org/me/faces.git?token=1")
    'https://example.org/me/faces.git'
    >>> public("git@example.org:me/faces.git")
    'ssh://example.org/me/faces.git'
    """
    at = urllib.parse.urlsplit(remote)
    if at.scheme in _WEB and at.hostname:
        port = f":{at.port}" if at.port else ""
        return f"{at.scheme}://{at.hostname}{port}{at.path}"
    host, colon, path = remote.rpartition("@")[2].partition(":")
    if at.scheme or not colon or "/" in host or "\\" in path:
        return None
    return f"ssh://{host}/{path.lstrip('/')}"


def _git(*arguments: str) -> str | None:
    """What git prints about the folder of our packages, if that is the top of a checkout; `None` where it is not."""
    if not (_ROOT / ".git").exists():
        return None
    try:
        asked = subprocess.run(  # noqa: S603 - our own words
            ["git", "-C", str(_ROOT), *arguments],  # noqa: S607 - the user's git
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
