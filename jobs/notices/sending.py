"""How a notice goes out: to a program of the user's, or to an address. Never for longer than some seconds."""

from __future__ import annotations

import contextlib
import importlib
import ipaddress
import json
import os
import shlex
import signal
import subprocess
import urllib.parse
from dataclasses import dataclass

from facegan.errors import BadInputError
from jobs.notices.events import Notice, NotSentError

PATIENCE_S = 10.0
WEB = ("https://", "http://")
POST = "jobs.notices.posting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where notices go: `arguments` of a program, or the `url` that is posted to."""

    arguments: tuple[str, ...] = ()
    url: str = ""

    def send(self, notice: Notice, patience_s: float = PATIENCE_S) -> None:
        """Send it, and wait until it is taken.

        Raises:
            NotSentError: it was not, in time; says why.
        """
        data = json.dumps(notice.to_json()).encode()
        if self.url:
            importlib.import_module(POST).post(self.url, data, patience_s)
        else:
            _run(self.arguments, notice, data, patience_s)


def parse(text: str) -> Target | None:
    """What is set as `notify`; `None` where nothing is.

    Raises:
        BadInputError: neither a command line nor an address that may be posted to.
    """
    if not text.strip():
        return None
    if text.startswith(WEB):
        if not text.startswith("https://") and not _is_loopback(urllib.parse.urlsplit(text).hostname or ""):
            raise BadInputError(
                "notify is an http:// address: it would go over the network in the clear", hint="https://"
            )
        return Target(url=text)
    try:
        return Target(arguments=tuple(shlex.split(text)))
    except ValueError as error:
        raise BadInputError(f"notify is no command line: {error}", hint='notify = "notify-send facegan"') from error


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _run(arguments: tuple[str, ...], notice: Notice, data: bytes, patience_s: float) -> None:
    """Run the program with the notice on its standard input; one that does not end is killed, with its children."""
    said = {"FACEGAN_EVENT": notice.event, "FACEGAN_RUN": notice.run, "FACEGAN_TEXT": notice.text}
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's own command line, not given to a shell
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **said},
            start_new_session=os.name != "nt",
        )
    except OSError as error:
        raise NotSentError(f'"{arguments[0]}" cannot be run: {error.strerror or error}') from error
    with child:
        try:
            child.communicate(data, timeout=patience_s)
        except subprocess.TimeoutExpired:
            _kill(child)
            raise NotSentError(f'"{arguments[0]}" did not end within {patience_s:g} s') from None
    if child.returncode:
        raise NotSentError(f'"{arguments[0]}" ended with {child.returncode}')


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if os.name == "nt":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
