"""What is known of EC2: which type has which GPU, quotas, what its errors mean. One dated table, and how sure it is.

Nothing here was tried on a live account by this project. When EC2 changes, this is the file to change, and
docs/ec2.md shows the GPUs whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from jobs.backends.known import Sure
from jobs.backends.vm import ON_DEMAND, SPOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU by the name that users know it by, and the instance types with one, the smallest first."""

    gpu: str
    types: Sequence[str]
    memory_gib: int
    sure: Sure = Sure.DOCS
    seen: str = "2026-11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A quota of EC2, in vCPUs, by the code that it is raised by."""

    code: str
    name: str
    sure: Sure = Sure.BELIEVED
    seen: str = "2026-11"


ACCELERATORS = (
    Accelerator(gpu="T4", types=("g4dn.xlarge", "g4dn.2xlarge"), memory_gib=16),
    Accelerator(gpu="L4", types=("g6.xlarge", "g6.2xlarge"), memory_gib=24),
    Accelerator(gpu="A10G", types=("g5.xlarge", "g5.2xlarge"), memory_gib=24),
)
WITHOUT = ("m7i.xlarge", "m6i.xlarge")
"""The types that a session without a GPU runs on."""

VCPUS = 4
"""Of the smallest type of each row."""

GPU_LIMITS = MappingProxyType(
    {
        SPOT: Limit(code="L-3819A6DF", name="All G and VT Spot Instance Requests"),
        ON_DEMAND: Limit(code="L-DB2E81BA", name="Running On-Demand G and VT instances"),
    }
)
CPU_LIMITS = MappingProxyType(
    {
        SPOT: Limit(code="L-34B43A08", name="All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
        ON_DEMAND: Limit(code="L-1216C47A", name="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
    }
)

AMI = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
"""The public parameter with the newest image of Amazon's that has NVIDIA's driver and Docker (seen in use, 2026-11)."""

VOLUME_GB = 100
PROFILE = "facegan-session"

SETUP = "docs/ec2.md goes from an empty account to a run"
KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
RIGHTS = "infra/policies/user.json is what the user must be allowed (docs/ec2.md)"

NO_ROOM = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientCapacity",
        "InsufficientFreeAddressesInSubnet",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
"""The next zone, or the next type, may have room."""

USED_UP = frozenset({"MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", "InstanceLimitExceeded"})
"""The account may not have as many; a new one usually may have none."""

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "AuthFailure": ("auth", KEYS),
        "InvalidClientTokenId": ("auth", KEYS),
        "UnrecognizedClientException": ("auth", KEYS),
        "SignatureDoesNotMatch": ("auth", KEYS),
        "ExpiredToken": ("auth", "these credentials were made for a limited time: make new ones"),
        "RequestExpired": ("auth", "these credentials have ended, or this machine's clock is wrong"),
        "UnauthorizedOperation": ("auth", RIGHTS),
        "AccessDenied": ("auth", RIGHTS),
        "AccessDeniedException": ("auth", RIGHTS),
        "OptInRequired": ("auth", "finish opening the account: a way to pay is missing"),
        "PendingVerification": ("auth", "Amazon looks at new accounts first: it writes when it is done"),
        "Blocked": ("auth", "ask Amazon's support"),
        "NoSuchEntity": ("invalid", SETUP),
        "InvalidIamInstanceProfile": ("invalid", SETUP),
        "InvalidParameterValue": ("invalid", SETUP),
        "InvalidParameterCombination": ("invalid", SETUP),
        "ParameterNotFound": ("invalid", 'ami = "…" in facegan.toml names another parameter'),
        "InvalidAMIID.NotFound": ("invalid", 'ami = "…" in facegan.toml names another parameter'),
        "InvalidAMIID.Unavailable": ("invalid", 'ami = "…" in facegan.toml names another parameter'),
        "VPCIdNotSpecified": ("invalid", "aws ec2 create-default-vpc"),
        "MissingInput": ("invalid", "aws ec2 create-default-vpc"),
        "InvalidBlockDeviceMapping": ("invalid", SETUP),
        "MaxIOPSLimitExceeded": ("quota", "there are too many volumes"),
        "VolumeLimitExceeded": ("quota", "there are too many volumes"),
    }
)
"""What an error says of the session, and what to do. One that is not here says nothing: the machine may exist."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "Server.SpotInstanceTermination": "EC2 took its spot machine back",
        "Server.SpotInstanceShutdown": "EC2 took its spot machine back",
        "Server.ScheduledStop": "EC2 ended its machine, as it had announced",
        "Server.InternalError": "EC2 ended its machine by an error of its own",
        "Server.InsufficientInstanceCapacity": "EC2 had no room for its machine after all",
        "Client.UserInitiatedShutdown": "its machine was terminated",
        "Client.UserInitiatedHibernate": "its machine was terminated",
        "Client.VolumeLimitExceeded": "the account may not have its machine's volume",
        "Client.InternalError": "its machine could not start: may the account use the key that its volume is under?",
    }
)
"""What a machine's `StateReason` means."""

ITSELF = "Client.InstanceInitiatedShutdown"
GONE_ID = frozenset({"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"})


def limit(gpu: str | None, market: str) -> Limit:
    """The quota that a session's machine counts against."""
    return (GPU_LIMITS if gpu else CPU_LIMITS)[market]
