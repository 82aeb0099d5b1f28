"""What the stand-in enforces: our reading of Kaggle as of November 2026. A test may set any of it.

How sure each is: [R] run against the service by somebody who wrote it down, [S] read in the source of the official
client, [D] the official documents, [F] a report from the field, [B] believed and not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR = 3600.0
T4 = "NvidiaTeslaT4"
TPU = "TpuV5E8"
CPU = ""
LAYOUTS = ("2026", "old")
STATUSES = ("QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")  # [S]
ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT")
RETIRED = {"tpuv38": TPU, "tpu1vmv38": TPU, "tpuv232": CPU, "tpuv2256": CPU}  # [S]; every other unknown name is a T4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Times are in Kaggle's seconds, which `Clock` shortens; sizes are in bytes."""

    source_bytes: int = 1_000_000  # [F] 933,761 passed and 1,141,256 did not; [R] another measured 1 MiB
    session_s: float = 12 * HOUR  # [D] GPU and CPU
    tpu_session_s: float = 9 * HOUR  # [D]
    gpu_sessions: int = 2  # [F]
    cpu_sessions: int = 5  # [F]
    title_chars: int = 5  # [S] the least
    output_bytes: int = 20 * 10**9  # [D] above it, nothing is kept [F]
    page_files: int = 200  # [S] the most in one page of output

    queue_s: float = 20.0  # [F] 13 to 30 s
    saving_s: float = 5.0  # [R] a session whose script has ended runs until its output is saved
    cancelling_s: float = 10.0  # [R] meanwhile the output appears file by file
    cut_at_quota: bool = False  # a session that runs when the quota ends; somebody read 30.93 of 30 hours [F]
    status_at_cap: str = "ERROR"  # [B]
    kept_at_cap: frozenset[str] = frozenset()  # of "outputs" and "log"; reports disagree, so nothing [F]
    cancel_works: bool = True  # [R] by the id out of the container's name

    dataset_hidden_s: float = 5.0  # [F] 403 to its own owner, seconds for megabytes
    dataset_processing_s: float = 10.0  # [F]
    dataset_files: int = 50  # [S] at the top level
    dataset_name_chars: tuple[int, int] = (6, 50)  # [S] slug and title alike
    unmounted: frozenset[str] = frozenset()  # data sets that a push takes, and that its session does not find [B]
    layout: str = "2026"  # or "old": /kaggle/input/<slug> [F]
    images: tuple[str, ...] = ()  # names of Docker images that are Kaggle's; every other is refused [S]

    unverified_error: str | None = None  # the refusal of a GPU without a verified phone; None: silently on a CPU [B]
    refusal_spoils_slug: bool = False  # [F] two reports of "Notebook not found" on the next push, others without it
    omits_defaults: bool = False  # [S] the client does; [F] a captured answer does not
    events_before_cut: int | None = None  # [S] the load balancer cuts a stream of log lines now and then
    rate: tuple[int, float] | None = None  # so many requests in so many real seconds, then 429 [F]
    environment: Mapping[str, str] = field(default_factory=dict)  # more variables of every session
