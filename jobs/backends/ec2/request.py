"""What EC2 is asked for: the body of `RunInstances` (Amazon EC2 API Reference). Decided here, sent elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.experiment import Json
from jobs.backends.base import Order
from jobs.backends.ec2 import facts, naming
from jobs.backends.vm import SPOT, Candidate

OF_THE_CONTAINER = 2  # the metadata service is two steps away from a container
ON_SPOT = {
    "MarketType": "spot",
    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a machine starts from: an AMI, the device that it starts on, and how much that holds, in GB."""

    ami: str
    device: str
    gb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All of a machine but its type and zone. `market` is "spot" or "on-demand", `script` what it starts with."""

    order: Order
    image: Image
    market: str
    profile: str
    script: str


def body(wanted: Wanted, candidate: Candidate) -> Json:
    """The request for this machine. Equal arguments give equal bodies, and so one machine."""
    order, image = wanted.order, wanted.image
    tags = [{"Key": key, "Value": value} for key, value in naming.tags(order).items()]
    tagged = ["instance", "volume", *(["spot-instances-request"] if wanted.market == SPOT else [])]
    volume = {
        "VolumeType": "gp3",
        "VolumeSize": max(facts.VOLUME_GB, image.gb),
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    return {
        "ClientToken": naming.token(order, candidate.type, candidate.zone),
        "MinCount": 1,
        "MaxCount": 1,
        "ImageId": image.ami,
        "InstanceType": candidate.type,
        "Placement": {"AvailabilityZone": candidate.zone},
        "IamInstanceProfile": {"Name": wanted.profile},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": OF_THE_CONTAINER,
        },
        "BlockDeviceMappings": [{"DeviceName": image.device, "Ebs": volume}],
        "TagSpecifications": [{"ResourceType": each, "Tags": tags} for each in tagged],
        "UserData": wanted.script,
        **({"InstanceMarketOptions": ON_SPOT} if wanted.market == SPOT else {}),
    }
