"""Initial weights: every layer draws its own, a function of the experiment's seed and the layer's name."""

from __future__ import annotations

import keras

from facegan.models.network import layer_seed


def glorot(seed: int, layer: str) -> keras.initializers.Initializer:
    """Uniform, scaled by the layer's inputs and outputs: Keras' default (Glorot & Bengio 2010)."""
    return keras.initializers.GlorotUniform(seed=layer_seed(seed, layer))


def normal(seed: int, layer: str, mean: float = 0.0) -> keras.initializers.Initializer:
    """N(mean, 0.02), as DCGAN has it (Radford et al. 2015, section 4)."""
    return keras.initializers.RandomNormal(mean, stddev=0.02, seed=layer_seed(seed, layer))


def wide_glorot(seed: int, layer: str) -> keras.initializers.Initializer:
    """Glorot's uniform weights times the square root of 2, the gain for rectifiers."""
    return keras.initializers.VarianceScaling(
        scale=2.0, mode="fan_avg", distribution="uniform", seed=layer_seed(seed, layer)
    )
