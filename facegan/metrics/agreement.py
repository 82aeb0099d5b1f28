"""How well the two images that coupled generators make of one latent vector fit each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data import Images
from facegan.data.domains import Domain, Look, edges, negative
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.metrics.metric import Metric

BRIGHT = 128  # the first value that counts as bright
LOOKS = (edges, negative)
CHUNK = 256  # pairs compared at once


class Agreement(Metric):
    """The share of pixels, 0 to 1, in which `f(g1(z))` and `g2(z)` agree: both bright, or both dark.

    `f` makes the second domain's images of the first one's (their edges, their negative); a value (of each
    channel) is bright from 128 on. It stands for the pixel agreement ratio of Liu & Tuzel 2016, section 4, which
    was not read for this: how it compares grey values is not known here, and halving the range is our reading.

    Images that are mostly black agree by chance alone, so `agreement-unpaired` is the same share for each
    `f(g1(z))` and the `g2` of the next latent vector: what the coupling is worth is the difference.
    """

    def __init__(self, look: Look) -> None:
        """`look` is `f`."""
        self._look = look

    @property
    def variables(self) -> Mapping[str, Any]:
        return {}

    def train(self, images: Images) -> None:
        """There is nothing to learn."""

    def measure(self, domains: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
        first, second = domains
        following = np.roll(second, -1, axis=0)
        return {"agreement": self._share(first, second), "agreement-unpaired": self._share(first, following)}

    def _share(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
        agreed = 0
        for start in range(0, len(first), CHUNK):
            wanted = self._look(first[start : start + CHUNK]) >= BRIGHT
            agreed += int(np.count_nonzero(wanted == (second[start : start + CHUNK] >= BRIGHT)))
        return agreed / second.size


def fitting(experiment: Experiment, images: Images, shown: Sequence[Domain]) -> Agreement:  # noqa: ARG001 - any will do
    """The metric for the domains an experiment shows.

    Raises:
        BadInputError: there is one domain only, or the second cannot be made of the first.
    """
    look = shown[-1].look
    if look not in LOOKS:
        found = f'they are "{experiment.data.domains}"' if len(shown) > 1 else f'"{experiment.model.family}" has one'
        raise BadInputError(
            f'"agreement" needs two domains, the second made of the first, and {found}',
            hint="--set data.domains=edges (or negative), or --set evaluation.metric=none",
        )
    return Agreement(look)
