"""What Compute Engine is asked for: the body of `instances.insert` (API v1). Decided here, sent elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from facegan.experiment import Json
from jobs.backends.base import Order
from jobs.backends.gce import facts, naming
from jobs.backends.vm import SPOT, Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All of a machine but its type and zone.

    `image` is the family that its disk is made from, `market` "spot" or "on-demand", `service_account` an e-mail
    address, `life_s` its longest life in seconds; `script` what it starts with in a zone.
    """

    order: Order
    image: str
    market: str
    service_account: str
    life_s: int
    script: Callable[[str], str]


def attached(gpu: str | None) -> str | None:
    """The GPU that is asked for beside the type."""
    found = facts.accelerator(gpu) if gpu else None
    return found.attached if found else None


def body(wanted: Wanted, candidate: Candidate) -> Json:
    """The request for this machine. Equal arguments give equal bodies."""
    order, zone = wanted.order, f"zones/{candidate.zone}"
    labels, gpu = naming.labels(order), attached(order.gpu)
    return {
        "name": naming.name(order),
        "machineType": f"{zone}/machineTypes/{candidate.type}",
        "labels": labels,
        "scheduling": _scheduling(wanted),
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    "sourceImage": wanted.image,
                    "diskSizeGb": str(facts.DISK_GB),
                    "diskType": f"{zone}/diskTypes/pd-balanced",
                    "labels": labels,
                },
            }
        ],
        "networkInterfaces": [
            {
                "network": "global/networks/default",
                "accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}],
            }
        ],
        "serviceAccounts": [{"email": wanted.service_account, "scopes": list(facts.SCOPES)}],
        "metadata": {"items": [{"key": key, "value": value} for key, value in _metadata(wanted, candidate).items()]},
        **({"guestAccelerators": [_accelerator(zone, gpu)]} if gpu else {}),
    }


def _scheduling(wanted: Wanted) -> Json:
    """It ends after its longest life, and when it is taken back; what ends so is deleted, with its disk."""
    model = "SPOT" if wanted.market == SPOT else "STANDARD"
    return {
        "provisioningModel": model,
        "instanceTerminationAction": "DELETE",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
        "maxRunDuration": {"seconds": str(max(facts.SHORTEST_S, min(wanted.life_s, facts.LONGEST_S)))},
    }


def _metadata(wanted: Wanted, candidate: Candidate) -> dict[str, str]:
    """Beside its script: no key of the project's gets onto it, and nobody logs in on its serial line."""
    return {
        "startup-script": wanted.script(candidate.zone),
        "block-project-ssh-keys": "TRUE",
        "serial-port-enable": "FALSE",
        naming.RUN: wanted.order.run,
        **({facts.DRIVER.value: "True"} if wanted.order.gpu else {}),
    }


def _accelerator(zone: str, gpu: str) -> Json:
    return {"acceleratorType": f"{zone}/acceleratorTypes/{gpu}", "acceleratorCount": 1}
