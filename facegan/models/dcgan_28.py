"""A compact DCGAN for 28x28 grey images.

Radford et al. 2015, section 3: strided convolutions for pooling, batch normalisation everywhere but in
the generator's output and the discriminator's input, ReLU in the generator and tanh at its end,
LeakyReLU of slope 0.2 in the discriminator, no hidden dense layers. Section 4: weights drawn
from N(0, 0.02). Widths and kernels (4x4, stride 2, so that strides divide kernels and leave no
chequerboard) are those of a 7 -> 14 -> 28 pyramid.
"""

from __future__ import annotations

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.initial import normal
from facegan.models.network import MOMENTUM, OUTPUTS, Networks, Shape

SHAPE: Shape = (28, 28, 1)


def build(model: Model, shape: Shape, seed: int) -> Networks:  # noqa: ARG001 - it makes one only
    """One generator and one discriminator."""
    return Networks(generators=(_generator(model, seed),), discriminators=(_discriminator(seed),))


def _generator(model: Model, seed: int) -> keras.Model:
    """Latents to images: 359,553 parameters at 100 latent components."""
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Dense(7 * 7 * 64, use_bias=False, kernel_initializer=normal(seed, "project"), name="project"),
            layers.BatchNormalization(momentum=MOMENTUM, name="project-norm"),
            layers.ReLU(),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(
                32, 4, 2, "same", use_bias=False, kernel_initializer=normal(seed, "up14"), name="up14"
            ),
            layers.BatchNormalization(momentum=MOMENTUM, name="up14-norm"),
            layers.ReLU(),
            layers.Conv2DTranspose(
                1,
                4,
                2,
                "same",
                activation=OUTPUTS[model.range],
                kernel_initializer=normal(seed, "up28"),
                name="up28",
            ),
        ],
        name="generator",
    )


def _discriminator(seed: int) -> keras.Model:
    """Images to logits: 36,705 parameters."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(32, 4, 2, "same", kernel_initializer=normal(seed, "down14"), name="down14"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(64, 4, 2, "same", use_bias=False, kernel_initializer=normal(seed, "down7"), name="down7"),
            layers.BatchNormalization(momentum=MOMENTUM, name="down7-norm"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer=normal(seed, "judge"), name="judge"),
        ],
        name="discriminator",
    )
