"""From a committed state to a generator that works on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import safetensors
import safetensors.numpy

from facegan import models
from facegan.catalog import datasets, domains, families
from facegan.errors import DamagedError
from facegan.experiment import Experiment, Json
from facegan.models.network import named_variables


def generators(experiment: Experiment, state: bytes) -> tuple[keras.Model, ...]:
    """The generators as they were at that state, one for each image domain.

    Each takes latents, float32 `(n, latent)`, and makes images, float32 `(n, height, width, channels)` in
    the model's value range.

    Raises:
        DamagedError: the state is of other networks.
    """
    networks = models.build(experiment.model, datasets.shape(experiment.data), experiment.seed)
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


def description(run: str, experiment: Experiment, step: int) -> Json:
    """What has to be known to use an exported generator.

    `latent` components drawn from `noise` (`normal`: mean 0, variance 1; `uniform`: in [-1, 1)) make an image of
    `shape` (height, width, channels) whose values are in `range` (`tanh`: [-1, 1]; `unit`: [0, 1]). Coupled networks
    make one of each of the `domains`, in this order. `data` are the images it learnt from.
    """
    model, data = experiment.model, experiment.data
    coupled = families.find(model.family).domains > 1
    return {
        "run": run,
        "experiment": experiment.name,
        "step": step,
        "latent": model.latent,
        "noise": model.noise,
        "range": model.range,
        "shape": list(datasets.shape(data)),
        **({"domains": [domains.named(data, letter) for letter in domains.LETTERS]} if coupled else {}),
        "data": {"name": data.name, "digest": data.digest},
    }
