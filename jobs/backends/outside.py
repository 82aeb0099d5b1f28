"""What every backend touches besides its place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Variables and time: tests put something else there. `wall_s` is the time of day, in Unix seconds."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    wall_s: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep
