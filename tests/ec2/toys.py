"""`python -m facegan run …` with a toy for a trainer: all else of the session is the real one."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from facegan import preemption, runtime
from facegan.experiment import Experiment
from tests.fakes.toy import ToyTrainer

HELD = Path("../hold")
"""Beside the folder that the session runs in: while it is there, the toy does not go on once it is half through.

Where it says `SLOW`, it hardly does: so it can still be stopped.
"""
SLOW = "slow"


class HeldToy(ToyTrainer):
    """One that can be taken back in the middle for certain."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self._half = experiment.training.steps // 2

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        if self.step >= self._half:
            hold(steps)
        return super().advance(steps)


def hold(steps: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        while HELD.read_text() != SLOW:
            time.sleep(0.05)
        time.sleep(0.5 * steps)


def build(experiment: Experiment, _images: object, *, run: str) -> ToyTrainer:
    del run
    return HeldToy(experiment)


def nothing(*_: object) -> None:
    """In the place of data, and of a look for a GPU."""


def main() -> None:
    runtime.TRAINER, runtime.DATA, runtime.REQUIRE_GPU = (
        f"{__name__}:{each}" for each in ("build", "nothing", "nothing")
    )
    preemption.Ec2.every_s = 0.1
    sys.exit(runtime.main(sys.argv[2:]))
