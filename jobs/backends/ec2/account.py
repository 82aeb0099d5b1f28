"""What backends in one AWS account share: the region, what is asked there, and how refusals are said."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

from facegan.experiment import Json
from facegan.lock import alone
from jobs import heavy
from jobs.backends import answers
from jobs.backends.base import Backend
from jobs.backends.ec2 import facts
from jobs.backends.ec2.notes import Notes
from jobs.backends.ec2.refusals import AnswerError, of_error
from jobs.backends.outside import Outside
from jobs.errors import NotSetUpError
from jobs.settings import Settings


class AccountBackend(Backend):
    """Sessions in the user's own account. `host` is the region: the one that is named, else that of AWS' settings.

    `client` names the module with its `Client`, which is loaded when AWS is first asked, because it brings the SDK.
    """

    client: ClassVar[str]
    kinds: ClassVar[Mapping[str, tuple[str, str]]] = facts.KINDS
    _world: Outside

    def __init__(self, settings: Settings, host: str | None, world: Outside) -> None:
        self._named = host
        self._settings = settings
        self._world = world
        self._notes = Notes(settings.home / self.name)

    @functools.cached_property
    def host(self) -> str:  # type: ignore[override]  # found out once, when first asked for
        """The region.

        Raises:
            NotSetUpError: none is named anywhere.
        """
        said = self._world.environment
        found = self._named or said.get("AWS_REGION") or said.get("AWS_DEFAULT_REGION") or self._sdk.region()
        if not found:
            raise NotSetUpError("no region of AWS is named", hint="--host us-east-1, or AWS_REGION=us-east-1")
        return str(found)

    @contextlib.contextmanager
    def launching(self, run: str) -> Iterator[None]:
        """Hold a lock file of this machine; what two machines' commands do at once is told by `submit`."""
        with alone(self._notes.lock(run)):
            yield

    def hosts(self) -> Sequence[str]:
        """The region in use, those of the settings, and those where this machine has asked for sessions before."""
        settled = [each.strip() for each in self._settings.regions.split(",") if each.strip()]
        in_use = [self.host] if self._named or self._is_set_up else []
        return list(dict.fromkeys([*in_use, *settled, *self._notes.places()]))

    @property
    def _is_set_up(self) -> bool:
        return self.name in self._settings.backend.split(",")

    @functools.cached_property
    def _client(self) -> Any:  # noqa: ANN401 - its module brings the SDK
        return self._sdk.Client(self.host)

    def _of(self, ref: Json) -> Any:  # noqa: ANN401
        """The region that the session is in."""
        region = str(ref["region"])
        return self._client if region == self._named else self._sdk.Client(region)

    @functools.cached_property
    def _sdk(self) -> ModuleType:
        return heavy.sdk(self.client, "aws")

    def _refusing(self) -> contextlib.AbstractContextManager[None]:
        return answers.refusing(AnswerError, lambda error: of_error(error, self.kinds))
