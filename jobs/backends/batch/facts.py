"""What is known of AWS Batch: its states, its words, and how sure that is. One dated table.

Nothing here was tried on a live account by this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from facegan.process import Life
from jobs.backends.ec2 import facts as ec2
from jobs.backends.known import Fact, Sure

QUEUE = DEFINITION = "facegan"
SETUP = "docs/batch.md has the queue and the job definition"
RIGHTS = "infra/batch/user.json is what the user must be allowed (docs/batch.md)"

LIVES: Mapping[str, Life] = MappingProxyType(
    {
        "SUBMITTED": Life.ALIVE,
        "PENDING": Life.ALIVE,
        "RUNNABLE": Life.ALIVE,  # waits for a machine: the first time, or after one was taken back
        "STARTING": Life.ALIVE,
        "RUNNING": Life.ALIVE,
        "SUCCEEDED": Life.GONE,
        "FAILED": Life.GONE,
    }
)
"""Batch's states (AWS Batch User Guide, "Job states"). Of another, nothing is concluded."""

HOST_GONE = Fact(
    what="how a reason begins when the machine was taken back", value="Host EC2", sure=Sure.DOCS, seen="2026-11"
)
STOP_S = Fact(
    what="seconds between SIGTERM and SIGKILL when a job is terminated", value=30, sure=Sure.DOCS, seen="2026-11"
)
REPORT_S = 10
"""Of those, kept for the last entry."""

KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **ec2.KINDS,
        "ClientException": ("invalid", SETUP),
        "AccessDenied": ("auth", RIGHTS),
        "AccessDeniedException": ("auth", RIGHTS),
        "UnauthorizedOperation": ("auth", RIGHTS),
    }
)
"""What an error says of the job, and what to do."""
