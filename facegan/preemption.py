"""Notices that a cloud takes its machine back: asked of the machine's own metadata service, and told to the session.

EC2 says two minutes ahead when a spot machine goes, and sometimes earlier that it may (Amazon EC2 User Guide, "Spot
Instance interruption notices", "EC2 instance rebalance recommendations"). Compute Engine says 30 seconds ahead
(Compute Engine documentation, "Spot VMs"). Nobody promises that a notice comes: without one, the last committed
checkpoint stands. No answer, or one that cannot be read, is no notice.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol

from facegan.errors import BadInputError
from facegan.stopping import StopCause, StopSignal

TIMEOUT_S = 2.0
LEAST_GRACE_S = 10.0
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # metadata are this machine's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`grace_s` is what is left before the machine is gone; `None` where it may go, and nobody says when."""

    why: str
    grace_s: float | None


class Metadata(Protocol):
    """A cloud's metadata service, to be asked every `every_s` seconds."""

    every_s: float

    @abstractmethod
    def notice(self) -> Notice | None:
        """What it says now. Raises what `urllib` raises, and ValueError for what cannot be read."""


class Ec2(Metadata):
    """Instance Metadata Service, version 2: every question carries a token that was asked for before."""

    every_s = 5.0
    NOTICE_S = 120.0
    TOKEN_S = 21_600

    def __init__(self, environment: Mapping[str, str], wall_s: Callable[[], float]) -> None:
        self._at = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
        self._wall_s = wall_s
        self._token: str | None = None

    def notice(self) -> Notice | None:
        taken = self._get("/latest/meta-data/spot/instance-action")
        if taken is not None:
            said = json.loads(taken)
            return Notice(why=f"EC2 will {said['action']} this machine at {said['time']}", grace_s=self._left_s(said))
        if self._get("/latest/meta-data/events/recommendations/rebalance") is not None:
            return Notice(why="EC2 says that this machine may soon be taken back", grace_s=None)
        return None

    def _left_s(self, said: Mapping[str, str]) -> float:
        """By this machine's clock, which may be wrong: no more than EC2 promises, no less than is worth a try."""
        until = datetime.fromisoformat(said["time"]).astimezone(UTC).timestamp()
        return max(LEAST_GRACE_S, min(until - self._wall_s(), self.NOTICE_S) - self.every_s)

    def _get(self, path: str) -> str | None:
        if self._token is None:
            self._token = _ask(
                urllib.request.Request(  # noqa: S310 - the metadata service's own
                    f"{self._at}/latest/api/token",
                    method="PUT",
                    headers={"X-aws-ec2-metadata-token-ttl-seconds": str(self.TOKEN_S)},
                )
            )
        try:
            return _ask(
                urllib.request.Request(  # noqa: S310 - the same
                    f"{self._at}{path}", headers={"X-aws-ec2-metadata-token": self._token}
                )
            )
        except urllib.error.HTTPError as error:
            if error.code == 404:  # noqa: PLR2004 - there is no such notice
                return None
            self._token = None  # it may have run out: the next time brings a new one
            raise


class Gce(Metadata):
    """Compute Engine's metadata server."""

    every_s = 1.0
    NOTICE_S = 30.0

    def __init__(self, environment: Mapping[str, str], _wall_s: Callable[[], float]) -> None:
        host = environment.get("GCE_METADATA_HOST", "metadata.google.internal")
        self._url = f"http://{host}/computeMetadata/v1/instance/preempted"

    def notice(self) -> Notice | None:
        said = _ask(urllib.request.Request(self._url, headers={"Metadata-Flavor": "Google"}))  # noqa: S310 - its own
        if said.strip() != "TRUE":
            return None
        return Notice(why="Compute Engine takes this machine back", grace_s=self.NOTICE_S - 2.0 * self.every_s)


CLOUDS: Mapping[str, type[Ec2 | Gce]] = MappingProxyType({"ec2": Ec2, "gce": Gce})


def metadata(cloud: str, environment: Mapping[str, str], wall_s: Callable[[], float]) -> Metadata:
    """The metadata service of this cloud's machines.

    Raises:
        BadInputError: no such cloud is known.
    """
    if cloud not in CLOUDS:
        raise BadInputError(f'nothing is known of machines of "{cloud}"', hint=f"known: {', '.join(CLOUDS)}")
    return CLOUDS[cloud](environment, wall_s)


class Watch:
    """`look` asks once, and tells the session what was said: each thing once."""

    def __init__(self, asked: Metadata, stop: StopSignal, say: Callable[[str], object]) -> None:
        self.every_s = asked.every_s
        self._asked = asked
        self._stop = stop
        self._say = say
        self._told: set[str] = set()

    def look(self) -> None:
        """Ask for a stop when the machine goes, and for a checkpoint when it may."""
        try:
            notice = self._asked.notice()
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return
        if notice is None or notice.why in self._told:
            return
        self._told.add(notice.why)
        self._say(notice.why)
        if notice.grace_s is None:
            self._stop.warn()
        else:
            self._stop.give(StopCause(outcome="interrupted", why=notice.why, grace_s=notice.grace_s))


def _ask(request: urllib.request.Request) -> str:
    with _direct.open(request, timeout=TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return text
