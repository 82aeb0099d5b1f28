"""The DCGAN that the thesis trains in section 5.6, for 64x64 colour images (figures 38 and 39).

As in the notebook it took it from: activations come before the normalisation, neither follows the
projection, the discriminator's first convolution has no activation at all, and its end is a Dropout. All of
Keras' defaults: Glorot uniform, biases zero, batch normalisation with momentum 0.99. The discriminator
answers with a logit where the source ends in a sigmoid.
"""

from __future__ import annotations

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.dropout import Dropout
from facegan.models.initial import glorot
from facegan.models.network import OUTPUTS, Networks, Shape

SHAPE: Shape = (64, 64, 3)


def build(model: Model, shape: Shape, seed: int) -> Networks:  # noqa: ARG001 - it makes one only
    """One generator and one discriminator."""
    return Networks(generators=(_generator(model, seed),), discriminators=(_discriminator(seed),))


def _generator(model: Model, seed: int) -> keras.Model:
    """Latents to images: 3,585,219 parameters at 100 latent components."""
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Dense(4 * 4 * 512, kernel_initializer=glorot(seed, "project"), name="project"),
            layers.Reshape((4, 4, 512)),
            *_up(256, seed, "up8"),
            *_up(128, seed, "up16"),
            *_up(64, seed, "up32"),
            layers.Conv2DTranspose(
                3, 4, 2, "same", activation=OUTPUTS[model.range], kernel_initializer=glorot(seed, "up64"), name="up64"
            ),
        ],
        name="generator",
    )


def _up(filters: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=glorot(seed, name), name=name),
        layers.LeakyReLU(negative_slope=0.2),
        layers.BatchNormalization(name=f"{name}-norm"),
    ]


def _discriminator(seed: int) -> keras.Model:
    """Images to logits: 695,009 parameters."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            _convolution(32, seed, "down32"),
            _convolution(64, seed, "down16"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.BatchNormalization(name="down16-norm"),
            _convolution(128, seed, "down8"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.BatchNormalization(name="down8-norm"),
            _convolution(256, seed, "down4"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            Dropout(0.5, seed, "judge-dropout"),
            layers.Dense(1, kernel_initializer=glorot(seed, "judge"), name="judge"),
        ],
        name="discriminator",
    )


def _convolution(filters: int, seed: int, name: str) -> keras.Layer:
    return layers.Conv2D(filters, 4, 2, "same", kernel_initializer=glorot(seed, name), name=name)
