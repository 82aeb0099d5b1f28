"""What Compute Engine refuses of a machine that is asked for, before it makes any (API v1, `instances.insert`)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL = re.compile(r"[a-z0-9_-]{0,63}")
METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]{1,127}")
LARGEST_METADATA = 256 << 10
LARGEST_OF_ALL = 512 << 10
BRINGS_A_GPU = ("g2-", "a2-")
FAMILIES = {"projects/deeplearning-platform-release/global/images/family/common-cu129-ubuntu-2204-nvidia-580": 50}
"""The public families there are, and how many GB an image of each has."""
KNOWN = {
    "": {
        "name", "machineType", "labels", "scheduling", "disks", "networkInterfaces", "serviceAccounts", "metadata",
        "guestAccelerators",
    },
    "scheduling": {
        "provisioningModel", "instanceTerminationAction", "onHostMaintenance", "automaticRestart", "maxRunDuration",
    },
    "disks": {"boot", "autoDelete", "initializeParams"},
    "networkInterfaces": {"network", "accessConfigs"},
    "serviceAccounts": {"email", "scopes"},
    "guestAccelerators": {"acceleratorType", "acceleratorCount"},
}  # fmt: skip
"""The fields that are looked at here: what is not among them would be taken unseen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Exception):  # noqa: N818 - an answer
    status: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What there is: zones by machine type and by GPU, and the e-mail addresses of service accounts."""

    types: Mapping[str, tuple[str, ...]]
    gpus: Mapping[str, tuple[str, ...]]
    accounts: set[str]


def require(body: Json, zone: str, request_id: str, place: Place) -> None:
    """Refuse what Compute Engine would refuse at once."""
    _fields(body)
    try:
        is_id = uuid.UUID(request_id).int != 0
    except ValueError:
        is_id = False
    _that(is_id, "requestId", request_id)
    _that(NAME.fullmatch(body["name"]), "resource.name", body["name"])
    type = _in(zone, "machineTypes", body["machineType"])
    _that(zone in place.types.get(type, ()), "resource.machineType", body["machineType"])
    _labels(body["labels"])
    gpus = [_in(zone, "acceleratorTypes", each["acceleratorType"]) for each in body.get("guestAccelerators", [])]
    _that(not gpus or type.startswith("n1-"), "resource.guestAccelerators", gpus)
    _that(all(zone in place.gpus.get(each, ()) for each in gpus), "resource.guestAccelerators", gpus)
    _scheduling(body["scheduling"], has_gpu=bool(gpus) or type.startswith(BRINGS_A_GPU))
    _disk(body["disks"], zone)
    _metadata(body["metadata"]["items"])
    for interface in body["networkInterfaces"]:
        _that(interface["network"] == "global/networks/default", "resource.networkInterfaces[0].network", interface)
        _that(interface["accessConfigs"][0]["type"] == "ONE_TO_ONE_NAT", "accessConfigs", interface)
    (account,) = body["serviceAccounts"]
    _that(account["scopes"], "resource.serviceAccounts[0].scopes", account)
    if account["email"] not in place.accounts:
        said = f"The user does not have access to service account '{account['email']}'. Ask a project owner to grant it"
        raise Refusal(status=400, reason="badRequest", message=said)


def _fields(body: Json) -> None:
    for name, known in KNOWN.items():
        parts = body if not name else body.get(name, [])
        for part in parts if isinstance(parts, list) else [parts]:
            _that(set(part) <= known, f"resource.{name}", sorted(set(part) - known))


def _labels(labels: Json) -> None:
    _that(len(labels) <= 64, "resource.labels", labels)
    for key, value in labels.items():
        _that(LABEL_KEY.fullmatch(key) and LABEL.fullmatch(value), "resource.labels", f"{key}={value}")


def _scheduling(said: Json, *, has_gpu: bool) -> None:
    seconds = said.get("maxRunDuration", {}).get("seconds")
    _that(seconds is None or 30 <= int(seconds) <= 120 * 86_400, "resource.scheduling.maxRunDuration", seconds)
    is_spot = said["provisioningModel"] == "SPOT"
    _that(is_spot or said["provisioningModel"] == "STANDARD", "resource.scheduling.provisioningModel", said)
    _that(not is_spot or said.get("automaticRestart") is False, "resource.scheduling.automaticRestart", said)
    _that(not (is_spot or has_gpu) or said.get("onHostMaintenance") == "TERMINATE", "onHostMaintenance", said)
    action = said.get("instanceTerminationAction")
    _that(action in {None, "DELETE", "STOP"}, "resource.scheduling.instanceTerminationAction", action)
    _that(action is None or is_spot or seconds is not None, "resource.scheduling.instanceTerminationAction", action)


def _disk(disks: list[Json], zone: str) -> None:
    _that([each["boot"] for each in disks] == [True], "resource.disks", disks)
    (disk,) = disks
    said = disk["initializeParams"]
    _that(set(said) <= {"sourceImage", "diskSizeGb", "diskType", "labels"}, "initializeParams", said)
    _labels(said["labels"])
    _in(zone, "diskTypes", said["diskType"])
    if said["sourceImage"] not in FAMILIES:
        raise Refusal(status=404, reason="notFound", message=f"The resource '{said['sourceImage']}' was not found")
    _that(int(said["diskSizeGb"]) >= FAMILIES[said["sourceImage"]], "resource.disks[0].diskSizeGb", said["diskSizeGb"])


def _metadata(items: list[Json]) -> None:
    keys = [each["key"] for each in items]
    _that(len(set(keys)) == len(keys), "resource.metadata.items", keys)
    for each in items:
        size = len(each["value"].encode())
        _that(METADATA_KEY.fullmatch(each["key"]) and size <= LARGEST_METADATA, "resource.metadata", each["key"])
    _that(sum(len(each["value"]) for each in items) <= LARGEST_OF_ALL, "resource.metadata", "all of it")


def _in(zone: str, kind: str, url: str) -> str:
    found = re.fullmatch(rf"zones/{zone}/{kind}/([a-z0-9-]+)", url)
    _that(found, f"resource.{kind}", url)
    assert found is not None
    return found[1]


def _that(fits: object, field: str, value: object) -> None:
    if not fits:
        raise Refusal(status=400, reason="invalid", message=f"Invalid value for field '{field}': '{value}'.")
