"""Backends that wait for little: what is not listed is believed to be missing at once."""

from __future__ import annotations

import os
import time

from jobs.backends.colab import backend as colab
from jobs.backends.colab.command import Limits
from jobs.backends.kaggle import backend as kaggle
from jobs.settings import Settings


def sleep(seconds: float) -> None:
    time.sleep(min(seconds, 0.05))


class QuickColab(colab.ColabBackend):
    def __init__(self, settings: Settings, host: str | None = None) -> None:
        times, limits = colab.Times(missing_s=0.1), Limits(stay_s=0.1)
        world = colab.World(environment=os.environ, sleep=sleep, times=times, limits=limits)
        super().__init__(settings, host, world=world)


class QuickKaggle(kaggle.KaggleBackend):
    def __init__(self, settings: Settings, host: str | None = None) -> None:
        world = kaggle.World(environment=os.environ, sleep=sleep, times=kaggle.Times(missing_s=0.1))
        super().__init__(settings, host, world=world)
