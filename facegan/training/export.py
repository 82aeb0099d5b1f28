"""From a committed state to a generator that works on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import safetensors
import safetensors.numpy

from facegan import models
from facegan.catalog import datasets
from facegan.errors import DamagedError
from facegan.experiment import Experiment
from facegan.models.network import named_variables


def generators(experiment: Experiment, state: bytes) -> tuple[keras.Model, ...]:
    """The generators as they were at that state, one for each image domain.

    Each takes latents, float32 `(n, latent)`, and makes images, float32 `(n, height, width, channels)` in
    the model's value range.

    Raises:
        DamagedError: the state is of other networks.
    """
    data = datasets.find(experiment.data.name)
    networks = models.build(experiment.model, (data.height, data.width, data.channels), experiment.seed)
    try:
        arrays: Mapping[str, Any] = safetensors.numpy.load(state)
    except safetensors.SafetensorError as error:
        raise DamagedError(f"the state cannot be read: {error}") from error
    for name, variable in named_variables(networks).items():
        if name not in arrays:
            raise DamagedError(f'the state lacks "{name}": it is of other networks')
        variable.assign(arrays[name])
    return networks.generators


def generator(experiment: Experiment, state: bytes) -> keras.Model:
    """One Keras model of the run: the generator, or all of them on the same latents, side by side."""
    found = generators(experiment, state)
    if len(found) == 1:
        return found[0]
    # Over their layers, not nested in one another: Keras does not load shared layers of nested models back.
    return keras.Model(found[0].inputs[0], [each.outputs[0] for each in found], name="generators")
