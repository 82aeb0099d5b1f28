"""What of Compute Engine the user has chosen, by a flag, a setting or a variable: where, what, and in whose name."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facegan.errors import BadInputError
from jobs.backends import vm
from jobs.backends.gce import facts
from jobs.errors import NotSetUpError
from jobs.settings import Settings

ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"  # what gcloud itself heeds; tests put a stand-in there
FAMILY = re.compile(r"projects/[^/]+/global/images/family/[^/]+")
PLACE = re.compile(r"(?P<region>[a-z]+(-[a-z]+)+[0-9]+)(-[a-z])?")


def as_host(noted: str) -> str:
    """What names a project and a place in it."""
    return noted.replace(",", "/")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`named` is the flag's region or zone, maybe with a project and a slash before it.

    `project_of_credentials` is asked where no project is named.
    """

    settings: Settings
    environment: Mapping[str, str]
    named: str | None
    project_of_credentials: Callable[[], str | None]

    @property
    def is_set_up(self) -> bool:
        said = self.settings
        return bool(said.service_account or said.project) or "gce" in said.backend.split(",")

    @functools.cached_property
    def place(self) -> str:
        """The region or zone.

        Raises:
            NotSetUpError: none is named anywhere, or what is named looks like neither.
        """
        said = self.environment
        found = self._region_or_zone or said.get("CLOUDSDK_COMPUTE_ZONE") or said.get("CLOUDSDK_COMPUTE_REGION")
        if not found:
            raise NotSetUpError(
                "no region of Google Cloud is named", hint="--host us-central1, or CLOUDSDK_COMPUTE_REGION=us-central1"
            )
        if not PLACE.fullmatch(found):
            raise NotSetUpError(f'"{found}" is no region or zone', hint="--host us-central1, or --host us-central1-a")
        return found

    @property
    def _region_or_zone(self) -> str:
        return (self.named or "").rpartition("/")[2]

    @property
    def noted(self) -> str:
        """Project and place, as this machine remembers that it has been there: `as_host` of that."""
        return f"{self.project},{self.place}"

    @property
    def region(self) -> str:
        found = PLACE.fullmatch(self.place)
        return found["region"] if found else self.place

    def has(self, zone: str) -> bool:
        """Whether this zone is where machines are wanted."""
        return self.place in {zone, zone.rpartition("-")[0]}

    @functools.cached_property
    def project(self) -> str:
        """The project that machines are made in.

        Raises:
            NotSetUpError: none is named, and the credentials belong to none.
        """
        named = (self.named or "").rpartition("/")[0]
        found = (
            named
            or self.settings.project
            or self.environment.get("GOOGLE_CLOUD_PROJECT")
            or self.project_of_credentials()
        )
        if not found:
            raise NotSetUpError("no project of Google Cloud is named", hint='project = "…" in facegan.toml')
        return found

    def service_account(self, project: str) -> str:
        """The e-mail address of the account that machines of a project act as."""
        named = self.settings.service_account or facts.SERVICE_ACCOUNT
        return named if "@" in named else f"{named}@{project}.iam.gserviceaccount.com"

    @property
    def boot_image(self) -> str:
        """The family that machines start from.

        Raises:
            BadInputError: what is set names none.
        """
        named = self.settings.boot_image or facts.IMAGE.value
        if not FAMILY.fullmatch(named):
            raise BadInputError(f'boot_image "{named}" names no family of images', hint=f'as in "{facts.IMAGE.value}"')
        return named

    @property
    def market(self) -> str:
        return vm.market(self.settings.market)

    @property
    def endpoint(self) -> str | None:
        return self.environment.get(ENDPOINT)
