"""AWS asked by its own SDK, which has its home for machines here. Answers are plain; refusals are `AnswerError`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import botocore.session
from botocore import exceptions as failures
from botocore.config import Config

from facegan.errors import UnreachableError
from facegan.experiment import Json
from jobs.backends.ec2 import facts
from jobs.backends.ec2.refusals import AnswerError
from jobs.backends.ec2.request import Image

QUIET = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
ONCE = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 1})
BUSY = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "InternalError",
    "Unavailable",
    "InternalFailure",
} | {"TooManyRequestsException"}
SAYS_NO = facts.NO_ROOM | facts.USED_UP  # answers, whatever their status: EC2 has 500 for want of room


def region() -> str | None:
    """The region that AWS' own files name."""
    found: str | None = boto3.session.Session().region_name
    return found


class Client:
    """An account in one region.

    Every verb raises `AnswerError` for an answer that refuses, and UnreachableError where there is none.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._clients: dict[str, Any] = {}

    def account(self) -> str:
        """Whose credentials these are, by the number of the account."""
        with errors():
            return str(self._of("sts").get_caller_identity()["Account"])

    def find(self, filters: Sequence[Json]) -> list[Json]:
        """The machines that these filters let through, in every state, each with its `OwnerId`."""
        with errors():
            pages = self._of("ec2").get_paginator("describe_instances").paginate(Filters=list(filters))
            return [
                _owned(found, one) for page in pages for found in page["Reservations"] for one in found["Instances"]
            ]

    def instance(self, identity: str) -> Json:
        with errors():
            found = self._of("ec2").describe_instances(InstanceIds=[identity])["Reservations"]
        if not found:
            raise AnswerError(f"EC2 does not know {identity}", "InvalidInstanceID.NotFound")
        return _owned(found[0], found[0]["Instances"][0])

    def image(self, parameter: str) -> Image:
        """The AMI that this public parameter names now."""
        with errors():
            ami = str(self._of("ssm").get_parameter(Name=parameter)["Parameter"]["Value"])
            found = self._of("ec2").describe_images(ImageIds=[ami])["Images"]
        if not found:
            raise AnswerError(f"there is no image {ami}, which {parameter} names", "InvalidAMIID.NotFound")
        device = str(found[0]["RootDeviceName"])
        sizes = [each.get("Ebs", {}).get("VolumeSize", 0) for each in found[0].get("BlockDeviceMappings", ())]
        return Image(ami=ami, device=device, gb=int(max(sizes, default=0)))

    def zones(self, types: Sequence[str]) -> dict[str, list[str]]:
        """The zones of the region that have machines of these types."""
        there: dict[str, list[str]] = {each: [] for each in types}
        with errors():
            pages = self._of("ec2").get_paginator("describe_instance_type_offerings")
            for page in pages.paginate(
                LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(types)}]
            ):
                for each in page["InstanceTypeOfferings"]:
                    there[each["InstanceType"]].append(each["Location"])
        return {each: sorted(zones) for each, zones in there.items()}

    def run(self, body: Json) -> Json:
        """Ask for a machine, once: whoever asks again looks it up first."""
        with errors():
            made = self._once("ec2").run_instances(**body)
        return _owned(made, made["Instances"][0])

    def terminate(self, identity: str) -> None:
        with errors():
            self._of("ec2").terminate_instances(InstanceIds=[identity])

    def console(self, identity: str) -> str:
        """What the machine has written to its console."""
        with errors():
            return str(self._of("ec2").get_console_output(InstanceId=identity).get("Output") or "")

    def profile(self, name: str) -> Sequence[str]:
        """The roles of an instance profile."""
        with errors():
            found = self._of("iam").get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        return [str(role["RoleName"]) for role in found["Roles"]]

    def quota(self, code: str) -> float:
        """How many vCPUs the account may have at once."""
        with errors():
            found = self._of("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode=code)
        return float(found["Quota"]["Value"])

    def require_image(self, repository: str, digest: str) -> None:
        """See that a repository of ECR in this region has the image."""
        with errors():
            self._of("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])

    @functools.cached_property
    def _session(self) -> Any:  # noqa: ANN401 - the SDK makes its classes at run time
        made = botocore.session.get_session()
        made.register_component("data_loader", _services())
        return boto3.session.Session(botocore_session=made)

    def _once(self, service: str) -> Any:  # noqa: ANN401
        """For what makes something: the SDK would ask again by itself, not knowing whether it was made."""
        return self._session.client(service, region_name=self._region, config=ONCE)

    def _of(self, service: str) -> Any:  # noqa: ANN401
        if service not in self._clients:
            self._clients[service] = self._session.client(service, region_name=self._region, config=QUIET)
        return self._clients[service]


@functools.cache
def _services() -> Any:  # noqa: ANN401
    """What AWS' services are, read once a process: EC2 alone takes 30 MB, and whoever follows a run asks for ever."""
    return botocore.session.get_session().get_component("data_loader")


def _owned(reservation: Json, instance: Json) -> Json:
    return {**instance, "OwnerId": reservation.get("OwnerId")}


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Say what AWS said, without a word of what was sent."""
    try:
        yield
    except failures.ClientError as error:
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code not in SAYS_NO and (status >= 500 or code in BUSY):  # noqa: PLR2004
            raise UnreachableError(f"AWS cannot answer now: {code}") from error
        said = str(told.get("Message") or code).partition(" Encoded authorization failure message")[0]
        raise AnswerError(f"{error.operation_name} is refused: {code}: {said}", code) from error
    except (failures.NoCredentialsError, failures.PartialCredentialsError, failures.ProfileNotFound) as error:
        raise AnswerError(f"no credentials for AWS: {error}", "AuthFailure") from error
    except (failures.TokenRetrievalError, failures.SSOError, failures.UnauthorizedSSOTokenError) as error:
        raise AnswerError(f"no credentials for AWS: {error}", "ExpiredToken") from error
    except (failures.BotoCoreError, OSError) as error:
        raise UnreachableError(f"AWS does not answer: {error}") from error
