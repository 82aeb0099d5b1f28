"""What the command takes: a dated table, and nothing beside it.

From the source of google-colab-cli 0.7.5, read in November 2026, and held against that package's own parser then
(docs/colab.md). Options of `True` take a value.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GLOBAL = {"-c": "client_oauth_config", "--client-oauth-config": "client_oauth_config", "--config": "config",
          "--auth": "auth"}  # fmt: skip
SESSION = {"-s": "session", "--session": "session"}
COMMANDS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "download": (SESSION, ("remote_path", "local_path")),
    "exec": (
        {**SESSION, "-f": "file", "--file": "file", "--output-image": "output_image", "--timeout": "timeout",
         "--env": "env"},
        (),
    ),
    "new": ({**SESSION, "--gpu": "gpu", "--tpu": "tpu"}, ()),
    "sessions": ({}, ()),
    "stop": (SESSION, ()),
    "upload": (SESSION, ("local_path", "remote_path")),
    "usage": ({}, ()),
    "version": ({}, ()),
    "whoami": ({}, ()),
}  # fmt: skip
"""Each verb that we type: its options, all with a value, and its arguments."""


class UsageError(Exception):
    """The command would say this, and end with 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A call as it was understood."""

    verb: str
    auth: str
    config: str | None
    options: dict[str, str] = field(default_factory=dict)


def parse(words: list[str]) -> Typed:
    """Raises `UsageError`."""
    rest = list(words)
    before = _options(rest, GLOBAL)
    if before.get("auth", "oauth2") not in {"oauth2", "adc"}:
        raise UsageError(f"Invalid value for '--auth': {before['auth']!r} is not one of 'oauth2', 'adc'.")
    if not rest:
        raise UsageError("Missing command.")
    verb = rest.pop(0)
    if verb not in COMMANDS:
        raise UsageError(f"No such command '{verb}'.")
    options, arguments = COMMANDS[verb]
    found = _options(rest, options)
    for name in arguments:
        if not rest:
            raise UsageError(f"Missing argument '{{{name}}}'.")
        found[name] = rest.pop(0)
    found |= _options(rest, options)
    if rest:
        raise UsageError(f"Got unexpected extra argument ({rest[0]})")
    return Typed(verb=verb, auth=before.get("auth", "oauth2"), config=before.get("config"), options=found)


def _options(rest: list[str], known: dict[str, str]) -> dict[str, str]:
    found = {}
    while rest and rest[0].startswith("-"):
        name, given, value = rest.pop(0).partition("=")
        if name not in known:
            raise UsageError(f"No such option: {name}")
        if not given:
            if not rest:
                raise UsageError(f"Option '{name}' requires an argument.")
            value = rest.pop(0)
        found[known[name]] = value
    return found
