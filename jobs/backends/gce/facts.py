"""What is known of Compute Engine: machine types, GPUs, quotas, what its errors mean. One dated table, and how sure.

Nothing here was tried on a live account by this project. When Google changes, this is the file to change, and
docs/gce.md shows the GPUs whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from jobs.backends.known import Fact, Sure
from jobs.backends.vm import SPOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU by the name that users know it by, and the machine types for one, the smallest first.

    `attached` is what is asked for beside the type, where the type does not bring it. `quota` is the regional metric
    that one counts against.
    """

    gpu: str
    types: Sequence[str]
    quota: str
    memory_gib: int
    attached: str | None = None
    sure: Sure = Sure.DOCS
    seen: str = "2026-11"


ACCELERATORS = (
    Accelerator(
        gpu="T4",
        types=("n1-standard-4", "n1-standard-8"),
        attached="nvidia-tesla-t4",
        quota="NVIDIA_T4_GPUS",
        memory_gib=16,
    ),
    Accelerator(gpu="L4", types=("g2-standard-4", "g2-standard-8"), quota="NVIDIA_L4_GPUS", memory_gib=24),
    Accelerator(gpu="A100", types=("a2-highgpu-1g",), quota="NVIDIA_A100_GPUS", memory_gib=40),
)
WITHOUT = ("e2-standard-4", "n1-standard-4")
"""The types that a session without a GPU runs on."""

VCPUS = 4
"""Of the smallest type of most rows."""

ALL_GPUS = "GPUS_ALL_REGIONS"
"""The metric of the project that every GPU counts against, beside its own."""

PREEMPTIBLE = "PREEMPTIBLE_"
"""Before the metric of a GPU on spot; who was never given any of those uses the other (believed)."""

IMAGE = Fact(
    what="the image family that machines start from, with NVIDIA's driver, its container toolkit and Docker",
    value="projects/deeplearning-platform-release/global/images/family/common-cu129-ubuntu-2204-nvidia-580",
    sure=Sure.FIELD,
    seen="2026-09",
)
DRIVER = Fact(
    what="the item of metadata that has such an image install its driver, where it has none yet",
    value="install-nvidia-driver",
    sure=Sure.FIELD,
    seen="2026-09",
)
SCOPES = (
    "https://www.googleapis.com/auth/devstorage.read_write",
    "https://www.googleapis.com/auth/compute",
)
"""For the store and the registry, and for the machine to delete itself; its roles allow less (docs, 2026-11)."""

KNOWN: Sequence[Fact[str]] = (
    IMAGE,
    DRIVER,
    Fact(
        what="whose request id is known, for that nothing is made twice",
        value="requestId",
        sure=Sure.DOCS,
        seen="2026-11",
    ),
    Fact(
        what="where an operation names the request id that it is for",
        value="clientOperationId",
        sure=Sure.SOURCE,
        seen="2026-11",
    ),
    Fact(
        what="how long what was done to a machine is remembered, and found by its name",
        value="14 days",
        sure=Sure.BELIEVED,
        seen="2026-11",
    ),
    Fact(what="how long before its end a spot machine is told", value="30 s", sure=Sure.DOCS, seen="2026-11"),
    Fact(
        what="the operation by which a spot machine is taken back",
        value="compute.instances.preempted",
        sure=Sure.FIELD,
        seen="2026-09",
    ),
    Fact(
        what="the error of the operation that finds no room",
        value="ZONE_RESOURCE_POOL_EXHAUSTED",
        sure=Sure.FIELD,
        seen="2026-09",
    ),
    Fact(what="the error of the operation that finds no quota", value="QUOTA_EXCEEDED", sure=Sure.DOCS, seen="2026-11"),
    Fact(what="the scope that suffices for a registry", value="devstorage", sure=Sure.BELIEVED, seen="2026-11"),
    Fact(
        what="what a machine needs to delete itself, and its disk with it",
        value="compute.instances.delete",
        sure=Sure.BELIEVED,
        seen="2026-11",
    ),
)
"""What the rest stands on, and docs/gce.md shows."""

DISK_GB = 100
SERVICE_ACCOUNT = "facegan-session"
LONGEST_S, SHORTEST_S = 120 * 86_400, 30
"""Bounds of `maxRunDuration` (docs, 2026-11)."""

SETUP = "docs/gce.md goes from an empty project to a run"
LOGIN = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
RIGHTS = "infra/policies/gce/user.yaml is what the user must be allowed (docs/gce.md)"
BILLING = "a project without a way to pay gets no machines: gcloud billing projects link PROJECT --billing-account=ID"
ENABLE = "gcloud services enable compute.googleapis.com"
IMAGES = "gcloud compute images list --project deeplearning-platform-release; boot_image in facegan.toml names another"

NOT_FOUND = frozenset({"notFound", "RESOURCE_NOT_FOUND"})
THERE_ALREADY = frozenset({"alreadyExists", "RESOURCE_ALREADY_EXISTS"})

NO_ROOM = frozenset(
    {
        "ZONE_RESOURCE_POOL_EXHAUSTED",
        "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
        "REGION_RESOURCE_POOL_EXHAUSTED",
        "RESOURCE_POOL_EXHAUSTED",
        "STOCKOUT",
        "UNSUPPORTED_OPERATION",
        "insufficientCapacity",
        "resourceNotReady",
    }
)
"""The next zone, or the next type, may have room."""

USED_UP = frozenset({"QUOTA_EXCEEDED", "quotaExceeded", "LIMIT_EXCEEDED", "limitExceeded"})
"""The project may not have as much; a new one usually may have no GPU at all."""

BUSY = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED", "backendError", "internalError"})
"""No answer: the same may be answered in a minute."""

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "credentials": ("auth", LOGIN),
        "authError": ("auth", LOGIN),
        "expired": ("auth", LOGIN),
        "forbidden": ("auth", RIGHTS),
        "insufficientPermissions": ("auth", RIGHTS),
        "PERMISSIONS_ERROR": ("auth", RIGHTS),
        "IAM_PERMISSION_DENIED": ("auth", RIGHTS),
        "SERVICE_ACCOUNT_ACCESS_DENIED": ("invalid", SETUP),
        "accessNotConfigured": ("auth", ENABLE),
        "SERVICE_DISABLED": ("auth", ENABLE),
        "BILLING_DISABLED": ("auth", BILLING),
        "billingNotEnabled": ("auth", BILLING),
        "invalid": ("invalid", SETUP),
        "badRequest": ("invalid", SETUP),
        "notFound": ("invalid", IMAGES),
        "RESOURCE_NOT_FOUND": ("invalid", IMAGES),
        "INVALID_FIELD_VALUE": ("invalid", SETUP),
        "INVALID_USAGE": ("invalid", SETUP),
        "conditionNotMet": ("invalid", "a rule of the organisation forbids it: ask who set it"),
        "CONDITION_NOT_MET": ("invalid", "a rule of the organisation forbids it: ask who set it"),
    }
)
"""What an error says of the session, and what to do. One that is not here says nothing: the machine may exist."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "compute.instances.preempted": "Compute Engine took its spot machine back",
        "compute.instances.hostError": "a fault of its host ended its machine",
        "compute.instances.terminateOnHostMaintenance": "its host was maintained, and its machine ended for it",
        "stop": "its machine was stopped",
        "suspend": "its machine was suspended",
    }
)
"""What an operation of Google's that ended a machine means, by its type (the first from live accounts, 2026-09)."""


def accelerator(gpu: str) -> Accelerator | None:
    """The GPU that users call so; letters of either case."""
    return next((each for each in ACCELERATORS if each.gpu.lower() == gpu.lower()), None)


def quotas(gpu: str | None, market: str) -> tuple[str, ...]:
    """The metrics of a region that a session's machine may count against, the likeliest first."""
    found = accelerator(gpu) if gpu else None
    plain = found.quota if found else "CPUS"
    return (f"{PREEMPTIBLE}{plain}", plain) if market == SPOT else (plain,)
