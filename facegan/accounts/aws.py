"""An account at AWS, or at a service that speaks S3.

Short-lived credentials come from STS: a federation token for an IAM user's own keys, or a role, each under
a session policy. Most services that only speak S3 have no STS; there the user's own keys are handed on, with
a warning that says what they reach, found out by asking. One that has it is named by `AWS_ENDPOINT_URL_STS`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
from botocore import exceptions as failures

from facegan import layout
from facegan.accounts.base import Account, Credentials, Finding, Reach
from facegan.accounts.policy import FEDERATED, AwsPolicies
from facegan.errors import BadInputError, UnreachableError
from facegan.experiment import Json
from facegan.storage.base import RefusedError
from facegan.storage.cloud import Location
from facegan.storage.s3 import CONFIG

SHORTEST_S = 900
LONGEST_TOKEN_S = 36 * 3600
LONGEST_ROLE_S = 12 * 3600

STS = "AWS_ENDPOINT_URL_STS"  # botocore reads it too
HINTS = {
    "AccessDenied": "facegan-job credentials policy prints the policy that the user takes; "
    "whoever works by a role must name one: --role ARN",
    "ValidationError": "the role's longest session may be shorter: give the run a session.budget_s, or "
    "aws iam update-role --max-session-duration 43200 --role-name …",
    "PackedPolicyTooLarge": "shorten the store's prefix or the run's --name",
    "InvalidClientTokenId": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "ExpiredToken": "these credentials were made for a limited time: make new ones",
}


class AwsAccount(Account):
    """The account whose credentials this machine has."""

    def __init__(self, location: Location) -> None:
        self._at = location

    @classmethod
    def open(cls, url: str) -> AwsAccount:
        return cls(Location.parse(url, options=("endpoint", "region")))

    def policy(self) -> Json:
        return self._policies.of_user()

    def bucket(self) -> Sequence[Finding]:
        if not self._is_aws:
            return [self._ledger_guard()]
        return [self._public(), self._versions(), self._ledger_guard()]

    def mint(self, reach: Reach, *, lasts_s: float | None, role: str | None) -> Credentials:
        if not (self._is_aws or os.environ.get(STS)):
            return self._own(reach)
        longest_s = LONGEST_ROLE_S if role else LONGEST_TOKEN_S
        if lasts_s is not None and lasts_s > longest_s:
            raise BadInputError(
                f"credentials of AWS last {longest_s / 3600:g} hours at most, not {lasts_s / 3600:.1f}",
                hint="shorten session.budget_s: the next session goes on where one ends",
            )
        asked: Json = {
            "Policy": self._policies.of_session(reach),
            "DurationSeconds": longest_s if lasts_s is None else max(SHORTEST_S, int(lasts_s) + 1),
        }
        name = f"{FEDERATED}{reach.run}"
        with self._errors():
            sts = self._client("sts")
            if role:
                answer = sts.assume_role(RoleArn=role, RoleSessionName=name[:64], **asked)
            else:
                answer = sts.get_federation_token(Name=name[:32], **asked)
        made = answer["Credentials"]
        return Credentials(
            environment={
                "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
                "AWS_SESSION_TOKEN": made["SessionToken"],
                **self._place(),
            },
            until=made["Expiration"],
        )

    def minted(self) -> Sequence[str]:
        return ()  # what STS makes ends by itself

    def revoke(self, run: str) -> bool:
        del run
        return False

    @functools.cached_property
    def _session(self) -> Any:  # noqa: ANN401 - the SDK makes its classes at run time
        return boto3.session.Session()

    @functools.cached_property
    def _s3(self) -> Any:  # noqa: ANN401
        return self._client("s3", endpoint_url=self._at.options.get("endpoint"))

    @property
    def _is_aws(self) -> bool:
        host = urllib.parse.urlsplit(self._s3.meta.endpoint_url).hostname or ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))

    @property
    def _region(self) -> str | None:
        region: str | None = self._at.options.get("region") or self._session.region_name
        return region

    @property
    def _policies(self) -> AwsPolicies:
        partition = self._session.get_partition_for_region(self._region) if self._region else "aws"
        return AwsPolicies(self._at.bucket, self._at.prefix, partition)

    def _client(self, service: str, **how: Any) -> Any:  # noqa: ANN401
        region = self._region or ("us-east-1" if service == "sts" else None)
        with self._errors():
            return self._session.client(service, region_name=region, config=CONFIG, **how)

    def _place(self) -> dict[str, str]:
        """Where the bucket is, as far as the URL does not say it."""
        said = self._at.options
        place = {} if "region" in said or not self._region else {"AWS_DEFAULT_REGION": self._region}
        if "endpoint" not in said and not self._is_aws:
            place["AWS_ENDPOINT_URL_S3"] = self._s3.meta.endpoint_url
        return place

    def _own(self, reach: Reach) -> Credentials:
        """The user's own keys, and what they reach that no session needs."""
        with self._errors():
            found = self._session.get_credentials()
            if found is None:
                raise failures.NoCredentialsError
            keys = found.get_frozen_credentials()
        environment = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
        if keys.token:
            environment["AWS_SESSION_TOKEN"] = keys.token
        too_much = [what for what, can in self._reached(reach) if can]
        reaches = f" They can also {'; '.join(too_much)}." if too_much else ""
        return Credentials(
            environment={**environment, **self._place()},
            warnings=[f"this service has no short-lived credentials: these are your own keys, for good.{reaches}"],
        )

    def _reached(self, reach: Reach) -> Iterator[tuple[str, bool]]:
        """What the keys of this machine can do, found out by requests that change nothing."""
        where = self._at.bucket
        yield "list the account's other buckets", self._may("list_buckets")
        yield f"list all of bucket {where}", self._may("list_objects_v2", Bucket=where, MaxKeys=1)
        yield "read other runs", self._may("get_object", Bucket=where, Key=self._at.full(f"runs/{_nobody()}/ledger/0"))
        yield "delete ledger entries", self._may_delete(layout.ledger(reach.run))

    def _may_delete(self, folder: str) -> bool:
        """Whether an object below this folder could be deleted: tried on one that is not there."""
        return self._may("delete_object", Bucket=self._at.bucket, Key=self._at.full(f"{folder}{_nobody()}"))

    def _may(self, action: str, **what: object) -> bool:
        """Whether the service does this. "There is no such object" is an answer that only a reader is given."""
        try:
            with self._errors():
                getattr(self._s3, action)(**what)
        except RefusedError as error:
            return "NoSuchKey" in error.message
        return True

    def _public(self) -> Finding:
        name = "bucket: public access"
        every = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
        command = f"aws s3api put-public-access-block --bucket {self._at.bucket}"
        hint = f"{command} --public-access-block-configuration {every}"
        try:
            with self._errors():
                said = self._s3.get_public_access_block(Bucket=self._at.bucket)["PublicAccessBlockConfiguration"]
        except RefusedError as error:
            if "NoSuchPublicAccessBlockConfiguration" in error.message:
                return Finding(name=name, ok=False, found="not blocked", hint=hint)
            return Finding(name=name, ok=None, found="cannot be looked at", hint=error.hint or "")
        blocked = all(said.values())
        return Finding(name=name, ok=blocked, found="blocked" if blocked else "not blocked in every way", hint=hint)

    def _versions(self) -> Finding:
        """Old versions of deleted states are paid for, unless a rule removes them."""
        name = "bucket: old versions"
        try:
            with self._errors():
                if self._s3.get_bucket_versioning(Bucket=self._at.bucket).get("Status") is None:
                    return Finding(name=name, ok=True, found="not kept")
                rules = self._rules()
        except RefusedError as error:
            return Finding(name=name, ok=None, found="cannot be looked at", hint=error.hint or "")
        removed = any(rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule for rule in rules)
        found = "kept, and removed by a rule" if removed else "kept for ever: every pruned state is paid for"
        hint = "add a lifecycle rule with NoncurrentVersionExpiration (docs/storage.md)"
        return Finding(name=name, ok=removed, found=found, hint=hint)

    def _rules(self) -> list[dict[str, Any]]:
        try:
            with self._errors():
                return list(self._s3.get_bucket_lifecycle_configuration(Bucket=self._at.bucket)["Rules"])
        except RefusedError as error:
            if "NoSuchLifecycleConfiguration" in error.message:
                return []
            raise

    def _ledger_guard(self) -> Finding:
        """Whether these credentials could delete a ledger: one that does not exist, so nothing is lost."""
        could = self._may_delete(layout.ledger(_nobody()))
        return Finding(
            name="bucket: ledgers",
            ok=None if could else True,
            found="could be deleted with these credentials" if could else "cannot be deleted with these credentials",
            hint="facegan-job credentials policy prints a policy that forbids it" if self._is_aws else "",
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what the SDK said, without a word of what was sent."""
        try:
            yield
        except failures.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            said = error.response.get("Error", {}).get("Message") or code
            if status >= 500 or status == 429 or "Throttl" in code:  # noqa: PLR2004
                raise UnreachableError(f"AWS cannot answer now: {code}") from error
            hint = HINTS.get(code, "docs/storage.md has the policy it takes")
            raise RefusedError(f"{error.operation_name} is refused: {code}: {said}", hint=hint) from error
        except (failures.NoCredentialsError, failures.PartialCredentialsError, failures.ProfileNotFound) as error:
            raise RefusedError(
                f"no credentials for {self._at.url}: {error}",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            ) from error
        except failures.ParamValidationError as error:
            raise BadInputError(f"AWS cannot be asked so: {error}", hint="--role takes the ARN of a role") from error
        except (failures.BotoCoreError, OSError) as error:
            raise UnreachableError(f"the account of {self._at.url} does not answer: {error}") from error


def _nobody() -> str:
    """A name that nothing has."""
    return f"nobody-{secrets.token_hex(8)}"
