"""What a family of networks hands over, and what all families need to build it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras

Shape: TypeAlias = tuple[int, int, int]
"""Height, width and channels of an image, in pixels."""

DOMAINS = ("a", "b")
"""The letters of the two image domains of coupled networks."""

OUTPUTS = {"tanh": "tanh", "unit": "sigmoid"}
"""The generator's last activation for each `Model.range`."""

MOMENTUM = 0.9
"""Of batch normalisation, where the source says none: moving statistics serve the samples only, and should
follow the weights closely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The generators and discriminators of an experiment, one pair for each image domain.

    A generator takes latents, float32 `(n, latent)`, and makes images, float32 `(n, height, width,
    channels)` in the model's value range. A discriminator takes such images and answers with logits,
    float32 `(n, 1)`: above zero means "real". Networks of one kind may share variables; what is
    shared is one object, and is counted, trained and stored once.
    """

    generators: tuple[keras.Model, ...]
    discriminators: tuple[keras.Model, ...]

    @property
    def roles(self) -> dict[str, tuple[keras.Model, ...]]:
        """Each kind of network by the word for it: singular when there is one, as in the catalogue."""
        plural = "s" if len(self.generators) > 1 else ""
        return {f"generator{plural}": self.generators, f"discriminator{plural}": self.discriminators}

    def counts(self) -> dict[str, int]:
        """The parameters of each kind, as Keras' summary counts them.

        Moving statistics are included, what a Dropout draws from is not; shared ones count once.
        """
        return {
            role: sum(math.prod(weight.shape) for weight in _once(model.weights for model in models))
            for role, models in self.roles.items()
        }


def variables(models: Iterable[keras.Model]) -> list[Any]:
    """Every variable of the models, each once by identity, in the order of first appearance.

    Parameters, moving statistics, and the counters that Dropout layers draw from.
    """
    return _once(model.variables for model in models)


def named_variables(networks: Networks) -> dict[str, Any]:
    """Every variable of the networks under a name of its own, in a fixed order: `generator/…`."""
    return {
        f"{role}/{variable.path.removeprefix(role + '/')}": variable
        for role, models in networks.roles.items()
        for variable in variables(models)
    }


def trainable(models: Iterable[keras.Model]) -> list[Any]:
    """Like `variables`, of them those that learn."""
    return [variable for variable in variables(models) if variable.trainable]


def _once(groups: Iterable[Iterable[Any]]) -> list[Any]:
    return list({id(item): item for group in groups for item in group}.values())


def layer_seed(seed: int, layer: str) -> int:
    """A seed of a layer's own, the same on every machine, below 2^31."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{layer}".encode()).digest()[:4], "big") >> 1
