"""How a container reaches a store that this machine calls its own.

To a container, `127.0.0.1` is the container. An endpoint there that is a port which a container of the same engine
publishes (as `make up` makes them) is reached through that container's network, under its name; any other is out of
reach, and that is said before a session is asked for.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from facegan.errors import BadInputError
from jobs.loopback import is_loopback

VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST")
DEFAULT_NETWORK = "bridge"
OF_SESSIONS = "facegan.network"  # the label of a store in several networks: which of them is for sessions
EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - read, not bound
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9-]*", re.IGNORECASE)  # SDKs refuse an underscore, which engines allow
_SHORT_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A port of a container that the engine's machine shows as its own: there it is `inner` at `name` in `network`."""

    port: int
    network: str
    name: str
    inner: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The same URL and variables as they are right from inside, and the network to join for it, if any."""

    store_url: str
    environment: Mapping[str, str]
    network: str | None = None


def from_inside(store_url: str, environment: Mapping[str, str], published: Iterable[Published]) -> Path:
    """Put what is published in the place of every endpoint on loopback.

    Raises:
        BadInputError: an endpoint is on loopback, and no container publishes it; or two are in two networks.
    """
    there = {found.port: found for found in published}
    networks: list[str] = []

    def inside(endpoint: str) -> str:
        parts = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        if not is_loopback(parts.hostname):
            return endpoint
        found = there.get(parts.port or (443 if parts.scheme == "https" else 80))
        if found is None:
            raise BadInputError(
                f"the store's endpoint \"{endpoint}\" is this machine's own, and a container cannot reach it",
                hint="run the store in a container of the same engine, as make up does, or bind it to another address",
            )
        networks.append(found.network)
        return urllib.parse.urlunsplit(parts._replace(netloc=f"{found.name}:{found.inner}"))

    inner_url = _replaced(store_url, inside)
    changed = {name: inside(environment[name]) for name in VARIABLES if environment.get(name)}
    if len(set(networks)) > 1:
        listed = ", ".join(sorted(set(networks)))
        raise BadInputError(
            f"the store's endpoints are in {len(set(networks))} networks of the engine: {listed}",
            hint="a container joins one of them: name the endpoint in the URL of the store alone",
        )
    return Path(store_url=inner_url, environment={**environment, **changed}, network=networks[0] if networks else None)


def published(described: Mapping[str, object]) -> list[Published]:
    """The ports that one container publishes, from the engine's description of it (Engine API, ContainerInspect)."""
    settings = _mapping(described.get("NetworkSettings"))
    networks = {
        network: _name(_mapping(how), str(described["Id"]))
        for network, how in _mapping(settings.get("Networks")).items()
    }
    own = {network: name for network, name in networks.items() if network != DEFAULT_NETWORK}  # it knows no names
    if not own:
        return []
    meant = _mapping(_mapping(described.get("Config")).get("Labels")).get(OF_SESSIONS)
    network, name = next(((each, called) for each, called in own.items() if each == meant), next(iter(own.items())))
    return [
        Published(port=int(binding["HostPort"]), network=network, name=name, inner=int(inner.partition("/")[0]))
        for inner, bindings in _mapping(settings.get("Ports")).items()
        for binding in (bindings if inner.endswith("/tcp") and isinstance(bindings, list) else ())
        if binding["HostIp"] in EVERYWHERE or is_loopback(binding["HostIp"])
    ]


def _name(how: Mapping[str, object], identity: str) -> str:
    """What the container is called in a network: an alias that a person gave it, else its id, which is a name too."""
    aliases = how.get("Aliases")
    given = [str(alias) for alias in aliases] if isinstance(aliases, list) else []
    good = [alias for alias in given if _HOST_NAME.fullmatch(alias) and not _SHORT_ID.fullmatch(alias)]
    return min(good, key=len) if good else identity[:12]


def _replaced(url: str, inside: Callable[[str], str]) -> str:
    """The URL with its option `endpoint` as it is right from inside."""
    parts = urllib.parse.urlsplit(url)
    given = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    if not any(key == "endpoint" for key, _ in given):
        return url
    query = "&".join(f"{key}={inside(value) if key == 'endpoint' else value}" for key, value in given)
    return urllib.parse.urlunsplit(parts._replace(query=query))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
