"""What a judgement of generators is to the trainer that asks for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facegan.data import Images


class Metric(Protocol):
    """A judge of generated images. It is made for one experiment and refuses others."""

    @property
    @abstractmethod
    def variables(self) -> Mapping[str, Any]:
        """What the judge has learnt, by name: part of the training's state."""

    @abstractmethod
    def train(self, images: Images) -> None:
        """Learn from the real images what there is to learn; called once a run, and may block for seconds."""

    @abstractmethod
    def measure(self, domains: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
        """Judge generated images, uint8 `(n, h, w, c)`, one array a domain, made of the same latents."""
