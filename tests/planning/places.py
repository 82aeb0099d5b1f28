"""Places as plans are made from them, said in hours."""

from __future__ import annotations

from typing import Any

from jobs.planning.prospects import Estimate, Meter, Prospect

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


def about(value: float, share: float = 0.1) -> Estimate:
    return Estimate(likely=value, low=value * (1 - share), high=value * (1 + share))


def somewhere(name: str = "a", rate: float = 1.0, **more: Any) -> Prospect:
    """A place that makes so many steps a second; and `wait_h start_s cap_h meter usd taken spread gpu`."""
    cap_h = more.get("cap_h")
    return Prospect(
        backend=name,
        gpu=more.get("gpu"),
        rate=more.get("spread", Estimate.exactly(rate)),
        wait_s=Estimate.exactly(more.get("wait_h", 0.0) * HOUR_S),
        start_s=more.get("start_s", 0.0),
        cap_s=None if cap_h is None else cap_h * HOUR_S,
        meter=more.get("meter"),
        usd_per_h=more.get("usd", 0.0),
        taken_per_h=more.get("taken", 0.0),
        lost_s=more.get("lost_s", 0.0),
    )


def rationed(left_h: float, resets_h: float | None = None, of_h: float = 0.0, period_h: float | None = None) -> Meter:
    return Meter(
        left_s=left_h * HOUR_S,
        resets_at=None if resets_h is None else resets_h * HOUR_S,
        of_s=of_h * HOUR_S,
        period_s=None if period_h is None else period_h * HOUR_S,
    )
