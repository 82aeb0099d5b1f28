"""What is known of Paperspace's Gradient: its GPUs, its answers, its limits. One dated table, and how sure it is.

Nothing here was tried on a live account by this project. When Gradient changes, this is the file to change, and
docs/gradient.md shows the GPUs whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from facegan.process import Life
from jobs.backends.known import Fact, Sure

API = "https://api.paperspace.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU by the name that users and Gradient know it by: it is Gradient's name of the machine, too."""

    gpu: str
    memory_gib: int
    sure: Sure = Sure.DOCS
    seen: str = "2026-09"


ACCELERATORS: Sequence[Accelerator] = (
    Accelerator(gpu="M4000", memory_gib=8),
    Accelerator(gpu="RTX4000", memory_gib=8),
    Accelerator(gpu="A4000", memory_gib=16),
    Accelerator(gpu="P5000", memory_gib=16),
    Accelerator(gpu="RTX5000", memory_gib=16),
)

ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "T4": "not at Gradient; the nearest, of 16 GiB as well, is A4000",
        "L4": "not at Gradient; the nearest is A4000, of 16 GiB",
        "A10G": "not at Gradient; the nearest is A4000, of 16 GiB",
        "P100": "not at Gradient; the nearest, of 16 GiB as well, is P5000",
    }
)
"""GPUs that other places have, each with what comes near it here."""

WITHOUT = Fact(what="the machine of a session without a GPU", value="C5", sure=Sure.BELIEVED, seen="2026-09")
CORES = Fact(what="cores of each of these machines", value=8, sure=Sure.DOCS, seen="2026-09")
SESSION_S = Fact(what="longest session, in seconds", value=12 * 3600, sure=Sure.DOCS, seen="2026-09")

SECRET = Fact(
    what="before the name of a secret, where a variable of a job is to have what is in it",
    value="secret:",
    sure=Sure.BELIEVED,
    seen="2026-09",
)
BEGAN = Fact(
    what="the field of a workflow's run with the time when it was made",
    value="dtCreated",
    sure=Sure.BELIEVED,
    seen="2026-11",
)
PHASES = Fact(
    what="the field of a run's `status` with one of the words for how it stands",
    value="phase",
    sure=Sure.BELIEVED,
    seen="2026-09",
)

KNOWN: Sequence[Fact[str]] = (
    WITHOUT,
    SECRET,
    Fact(
        what="where a list names what its next page comes `after`, when it `hasMore`",
        value="nextPage",
        sure=Sure.BELIEVED,
        seen="2026-09",
    ),
    PHASES,
    BEGAN,
    Fact(
        what="what a job of a workflow `uses` to be a container",
        value="container@v1",
        sure=Sure.BELIEVED,
        seen="2026-09",
    ),
    Fact(what="the field of a job with its time-out", value="timeout", sure=Sure.BELIEVED, seen="2026-09"),
)
"""What the rest stands on, and docs/gradient.md shows."""

LIVES: Mapping[str, Life] = MappingProxyType(
    {
        "pending": Life.ALIVE,
        "provisioned": Life.ALIVE,
        "running": Life.ALIVE,
        "succeeded": Life.GONE,
        "failed": Life.GONE,
        "cancelled": Life.GONE,
        "error": Life.GONE,
        "preempted": Life.GONE,
        "stopped": Life.GONE,
    }
)
"""What the phase of a workflow's run says of its session, in lower case (believed); of another, nothing."""

ENDS: Mapping[str, str] = MappingProxyType(
    {
        "succeeded": "its container has ended",
        "failed": "its container failed",
        "cancelled": "it was cancelled at Gradient",
        "error": "Gradient ended it by an error of its own",
        "preempted": "Gradient took its machine back",
        "stopped": "it was stopped at Gradient",
    }
)

SETUP = "docs/gradient.md goes from an account to a run"
KEY = "make a key on console.paperspace.com (team settings, API keys), and put it into PAPERSPACE_API_KEY"

KINDS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: ("invalid", SETUP),
        401: ("auth", KEY),
        402: ("quota", "the account needs a way to pay, or has reached its limit"),
        403: ("auth", "this account may have no workflows; docs/gradient.md says what is known of that"),
        404: ("invalid", SETUP),
        422: ("invalid", SETUP),
        429: ("capacity", "facegan-job resume RUN later"),
    }
)
"""What a status says of a session that was asked for, and what to do. One that is not here says nothing."""


def accelerator(gpu: str) -> Accelerator | None:
    """The GPU that users call so; letters of either case."""
    return next((each for each in ACCELERATORS if each.gpu.lower() == gpu.lower()), None)
