"""Keras-GAN's DCGAN for 28x28 grey images: nearest-neighbour upsampling before plain convolutions.

Layers, widths and rates are those of its dcgan/dcgan.py on the master branch, batch normalisation (momentum
0.8) before the activation. Initial weights are Keras' own: Glorot uniform, biases zero. The discriminator
answers with a logit where the source ends in a sigmoid.
"""

from __future__ import annotations

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.dropout import Dropout
from facegan.models.initial import glorot
from facegan.models.network import OUTPUTS, Networks, Shape

SHAPE: Shape = (28, 28, 1)
MOMENTUM = 0.8
DROPOUT = 0.25


def build(model: Model, shape: Shape, seed: int) -> Networks:  # noqa: ARG001 - it makes one only
    """One generator and one discriminator."""
    return Networks(generators=(_generator(model, seed),), discriminators=(_discriminator(seed),))


def _generator(model: Model, seed: int) -> keras.Model:
    """Latents to images: 856,193 parameters at 100 latent components."""
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Dense(7 * 7 * 128, activation="relu", kernel_initializer=glorot(seed, "project"), name="project"),
            layers.Reshape((7, 7, 128)),
            *_up(128, seed, "up14"),
            *_up(64, seed, "up28"),
            layers.Conv2D(
                1,
                3,
                padding="same",
                activation=OUTPUTS[model.range],
                kernel_initializer=glorot(seed, "paint"),
                name="paint",
            ),
        ],
        name="generator",
    )


def _up(filters: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.UpSampling2D(),
        layers.Conv2D(filters, 3, padding="same", kernel_initializer=glorot(seed, name), name=name),
        layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}-norm"),
        layers.ReLU(),
    ]


def _discriminator(seed: int) -> keras.Model:
    """Images to logits: 393,729 parameters. The map of 7x7 is padded to 8x8 below and on the right."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            _convolution(32, 2, seed, "down14"),
            layers.LeakyReLU(negative_slope=0.2),
            Dropout(DROPOUT, seed, "down14-dropout"),
            _convolution(64, 2, seed, "down7"),
            layers.ZeroPadding2D(((0, 1), (0, 1))),
            *_finish(seed, "down7"),
            _convolution(128, 2, seed, "down4"),
            *_finish(seed, "down4"),
            _convolution(256, 1, seed, "widen4"),
            *_finish(seed, "widen4"),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer=glorot(seed, "judge"), name="judge"),
        ],
        name="discriminator",
    )


def _convolution(filters: int, stride: int, seed: int, name: str) -> keras.Layer:
    return layers.Conv2D(filters, 3, stride, "same", kernel_initializer=glorot(seed, name), name=name)


def _finish(seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}-norm"),
        layers.LeakyReLU(negative_slope=0.2),
        Dropout(DROPOUT, seed, f"{name}-dropout"),
    ]
