"""An account at Google Cloud: a service account for each run, with a key.

Google's tokens last an hour, which is shorter than a session, so a session elsewhere is handed a key. A key
has all the rights of its service account; so each run has one of its own, which may do what the conditions
of its roles on the bucket say and nothing else. Deleting it ends its keys at once.

The crash argument: the service account is made first and deleted last, and everything else hangs on it. So
whatever a killed mint or revoke leaves is found by listing the accounts, which `doctor` does, and revoked again.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import google.auth
import requests.exceptions
from google.auth import exceptions as auth
from google.auth.transport.requests import AuthorizedSession

from facegan import layout
from facegan.accounts.base import Account, Credentials, Finding, Reach
from facegan.accounts.policy import google_bindings, google_user_bindings
from facegan.errors import BadInputError, FaceganError, UnreachableError
from facegan.experiment import Json
from facegan.storage.base import NotFoundError, RefusedError
from facegan.storage.cloud import Location

IAM = "https://iam.googleapis.com/v1"
STORAGE = "https://storage.googleapis.com/storage/v1"
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
TIMEOUT_S = (5.0, 30.0)
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # a new account is known everywhere within a minute

KEY = "GOOGLE_APPLICATION_CREDENTIALS"
LOGIN = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
RIGHTS = (
    "docs/storage.md has the roles it takes; an organisation may forbid keys (iam.disableServiceAccountKeyCreation)"
)


class ConflictError(FaceganError):
    """It exists already, or somebody else changed it meanwhile."""


class GoogleAccount(Account):
    """The project whose credentials this machine has."""

    def __init__(self, location: Location, sleep: Callable[[float], object] = time.sleep) -> None:
        self._at = location
        self._sleep = sleep

    @classmethod
    def open(cls, url: str) -> GoogleAccount:
        return cls(Location.parse(url))

    def policy(self) -> Json:
        return {"bindings": google_user_bindings(self._at.bucket, self._at.prefix)}

    def bucket(self) -> Sequence[Finding]:
        if _emulated():
            return []
        name = "bucket: public access"
        try:
            said = self._ask("GET", f"{STORAGE}/b/{self._bucket}?fields=iamConfiguration")
        except (RefusedError, NotFoundError) as error:
            return [Finding(name=name, ok=None, found="cannot be looked at", hint=error.hint or "")]
        rules = said.get("iamConfiguration", {})
        uniform = rules.get("uniformBucketLevelAccess", {}).get("enabled", False)
        fits = uniform and rules.get("publicAccessPrevention") == "enforced"
        command = f"gcloud storage buckets update gs://{self._at.bucket}"
        hint = f"{command} --public-access-prevention --uniform-bucket-level-access"
        return [Finding(name=name, ok=fits, found="prevented" if fits else "not prevented", hint=hint)]

    def mint(self, reach: Reach, *, lasts_s: float | None, role: str | None) -> Credentials:
        del lasts_s  # a key lasts until it is deleted
        if role:
            raise BadInputError(f'Google Cloud has no role "{role}" to take on', hint="leave --role out")
        with contextlib.suppress(ConflictError):
            self._ask("POST", f"{IAM}/projects/{self._project}/serviceAccounts", json=self._wanted(reach.run))
        email = self._email(reach.run)
        self._bind(email, google_bindings(self._at.bucket, self._at.prefix, reach))
        made = self._patiently(lambda: self._ask("POST", f"{self._named(email)}/keys", json={}))
        return Credentials(environment={}, files={KEY: base64.b64decode(made["privateKeyData"])})

    def minted(self) -> Sequence[str]:
        if _emulated():
            return ()
        begin, found, page = f"{self._at.url}/{layout.RUNS}", [], ""
        while True:
            said = self._ask("GET", f"{IAM}/projects/{self._project}/serviceAccounts?pageSize=100{page}")
            for account in said.get("accounts", []):
                run = account.get("description", "").removeprefix(begin)
                if account.get("description") == begin + run and account["email"] == self._email(run):
                    found.append(run)
            if not said.get("nextPageToken"):
                return sorted(found)
            page = f"&pageToken={urllib.parse.quote(said['nextPageToken'], safe='')}"

    def revoke(self, run: str) -> bool:
        email = self._email(run)
        self._bind(email, [])
        try:
            self._ask("DELETE", self._named(email))
        except NotFoundError:
            return False
        return True

    @functools.cached_property
    def _authorised(self) -> tuple[Any, str]:
        """A session that signs its requests, and the project of its credentials."""
        with self._errors("the credentials"):
            found, project = google.auth.default(scopes=SCOPES)
        if not project:
            raise RefusedError("these credentials belong to no project", hint="set GOOGLE_CLOUD_PROJECT")
        return AuthorizedSession(found, refresh_timeout=TIMEOUT_S[1]), str(project)

    @property
    def _project(self) -> str:
        return self._authorised[1]

    @property
    def _bucket(self) -> str:
        return urllib.parse.quote(self._at.bucket, safe="")

    def _wanted(self, run: str) -> Json:
        return {
            "accountId": self._id(run),
            "serviceAccount": {
                "displayName": f"facegan-job: {run}",
                "description": f"{self._at.url}/{layout.run(run)}".rstrip("/"),
            },
        }

    def _id(self, run: str) -> str:
        """A name of at most 30 characters that no other run of any store has."""
        return f"facegan-{hashlib.sha256(f'{self._at.url} {run}'.encode()).hexdigest()[:20]}"

    def _email(self, run: str) -> str:
        return f"{self._id(run)}@{self._project}.iam.gserviceaccount.com"

    def _named(self, email: str) -> str:
        return f"{IAM}/projects/{self._project}/serviceAccounts/{email}"

    def _bind(self, email: str, bindings: Sequence[Json]) -> None:
        """Let the account do exactly this to the bucket, and touch nobody else's rights.

        The bucket's policy is read and replaced under its etag: of two who change it at once, one begins again.
        """
        member = f"serviceAccount:{email}"
        where = f"{STORAGE}/b/{self._bucket}/iam"

        def replace() -> Json:
            policy = self._ask("GET", f"{where}?optionsRequestedPolicyVersion=3")
            before = policy.get("bindings", [])
            others = [_without(member, binding) for binding in before]
            wanted = [b for b in others if b["members"]] + [{**binding, "members": [member]} for binding in bindings]
            if wanted == before:
                return policy
            return self._ask("PUT", where, json={**policy, "version": 3, "bindings": wanted})

        self._patiently(replace)

    def _patiently(self, question: Callable[[], Json]) -> Json:
        """Ask again while somebody else changes the same, or the new account is not known everywhere yet."""
        for pause_s in PAUSES_S:
            try:
                return question()
            except (ConflictError, NotFoundError, UnknownMemberError):
                self._sleep(pause_s)
        return question()

    def _ask(self, method: str, url: str, **how: Any) -> Json:  # noqa: ANN401
        with self._errors(urllib.parse.urlsplit(url).hostname or url):
            answer = self._authorised[0].request(method, url, timeout=TIMEOUT_S, **how)
            said: Json = answer.json() if answer.content else {}
        if answer.ok:
            return said
        message = str(said.get("error", {}).get("message", answer.reason))
        what = f"{method} {urllib.parse.urlsplit(url).path} is refused: {answer.status_code}: {message}"
        status = answer.status_code
        if status in {409, 412}:
            raise ConflictError(what)
        if status == 404:  # noqa: PLR2004
            raise NotFoundError(what, hint=RIGHTS)
        if status == 400 and "does not exist" in message:  # noqa: PLR2004
            raise UnknownMemberError(what, hint=RIGHTS)
        if status in {408, 429} or status >= 500:  # noqa: PLR2004
            raise UnreachableError(f"Google cannot answer now: {status}")
        raise RefusedError(what, hint=LOGIN if status == 401 else RIGHTS)  # noqa: PLR2004

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (auth.DefaultCredentialsError, auth.RefreshError) as error:
            raise RefusedError(f"no credentials for {self._at.url}: {error.args[0]}", hint=LOGIN) from error
        except (auth.GoogleAuthError, requests.exceptions.RequestException, OSError, ValueError) as error:
            raise UnreachableError(f"{what} does not answer: {error}") from error


class UnknownMemberError(RefusedError):
    """A right was given to an account that is not known, or not yet."""


def _without(member: str, binding: Json) -> Json:
    return {**binding, "members": [each for each in binding.get("members", []) if each != member]}


def _emulated() -> bool:
    """An emulator has objects, and no accounts."""
    return "STORAGE_EMULATOR_HOST" in os.environ
