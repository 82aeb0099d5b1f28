"""How long sessions are waited for at each place, what they do before their first step, and how they are lost.

One dated table, which plans and rehearsals both read. Nothing here was tried on a live account by this project, and a
plan takes the user's own sessions first. Seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from jobs.backends.kaggle import facts as kaggle
from jobs.backends.known import Sure

SEEN = "2026-11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """From the order to the session's beginning: `likely`, and one time in ten less than `low` or more than `high`.

    `start_s` is from there to the first step: the machine's program, TensorFlow, what is restored, what is compiled.
    `taken_per_h` is how often an hour a machine is taken back, where it is only lent; `fails_per_h`, how often a
    session ends there without any reason, and `crowded`, a share of 1, how often there is no room for one that is asked
    for: assumed, rehearsed, and in the spread of a plan. `week_s` is the quota of a week, which begins on Saturday at
    00:00 UTC, for when the place does not say what is left of it.
    """

    low: float
    likely: float
    high: float
    start_s: float
    taken_per_h: float = 0.0
    fails_per_h: float = 0.0
    crowded: float = 0.0
    week_s: float | None = None
    sure: Sure = Sure.BELIEVED
    seen: str = SEEN


WAITING: Mapping[str, Waiting] = MappingProxyType(
    {
        "local": Waiting(low=0.0, likely=1.0, high=5.0, start_s=45.0, fails_per_h=0.05),
        "docker": Waiting(low=1.0, likely=5.0, high=30.0, start_s=60.0, fails_per_h=0.025),
        "kaggle": Waiting(
            low=13.0,
            likely=30.0,
            high=300.0,
            start_s=120.0,
            fails_per_h=0.01,
            week_s=kaggle.GPU_WEEK_S.value,
            sure=Sure.FIELD,
            seen="2026-10",
        ),
        "colab": Waiting(
            low=20.0,
            likely=30.0,
            high=120.0,
            start_s=120.0,
            fails_per_h=1 / 6,
            crowded=0.2,
            sure=Sure.FIELD,
            seen="2026-10",
        ),
        "gradient": Waiting(low=30.0, likely=120.0, high=900.0, start_s=180.0),
        "batch": Waiting(low=60.0, likely=180.0, high=900.0, start_s=420.0, taken_per_h=0.02),
        "ec2": Waiting(low=30.0, likely=60.0, high=600.0, start_s=420.0, taken_per_h=0.02, crowded=0.1),
        "gce": Waiting(low=30.0, likely=60.0, high=600.0, start_s=420.0, taken_per_h=0.02, crowded=0.15),
    }
)


def of(backend: str) -> Waiting:
    return WAITING[backend]
