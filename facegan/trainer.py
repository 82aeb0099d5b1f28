"""The port between a session and what it trains.

A session knows no network and no framework: it drives a `Trainer`. The real one is
`facegan.training.gan:build`; tests drive the same session with a toy.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from facegan.experiment import Experiment


class Trainer(Protocol):
    """A training that can be stopped after any step and taken up by another process.

    Everything the next step reads is in the state; every random number is a function of (seed, step,
    purpose). So two trainers in the same state take the same next step, bit for bit, on machines of
    one determinism class.
    """

    @property
    @abstractmethod
    def step(self) -> int:
        """Steps done since the run began; 0 for a fresh trainer."""

    @property
    @abstractmethod
    def determinism(self) -> Mapping[str, str]:
        """What must be equal on two machines for their bits to be equal: device, versions, threads."""

    @abstractmethod
    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        """Train `steps` steps; the metrics of each, in order. Where calls are cut changes no bit."""

    @abstractmethod
    def snapshot(self) -> Callable[[], bytes]:
        """Copy the state as it is now. Blocks only for the copy.

        What is returned serialises the copy (safetensors), on any thread, once, while training goes on.
        At most one snapshot is outstanding: the next may reuse its memory.
        """

    @abstractmethod
    def restore(self, state: bytes) -> None:
        """Take up a serialised state.

        Raises:
            DamagedError: it is not a state of this experiment's networks.
        """

    @abstractmethod
    def samples(self) -> Mapping[str, bytes]:
        """Pictures of the fixed latents, by name: PNG files."""

    @abstractmethod
    def evaluate(self) -> Mapping[str, float]:
        """The experiment's evaluation metric of the generator as it is now; empty when it has none."""


BuildTrainer = Callable[[Experiment], Trainer]
