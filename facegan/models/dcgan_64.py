"""The DCGAN of Radford et al. 2015 at its full width, for 64x64 colour images.

Figure 1 of the paper gives the generator: the latents projected to 4x4x1024, then 5x5 transposed
convolutions of stride 2 with 512, 256, 128 and 3 filters. The discriminator's widths are not in the paper;
128, 256, 512 and 1024 are those of the authors' own code for faces, which also normalises the projection
before it is shaped (a mean for each of its 16,384 units) and draws the first gains from N(1, 0.02). Section 3:
batch normalisation everywhere but in the generator's output and the discriminator's input, ReLU and
tanh in the generator, LeakyReLU of slope 0.2 in the discriminator, no hidden dense layers. Section 4: weights
drawn from N(0, 0.02).
"""

from __future__ import annotations

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.initial import normal
from facegan.models.network import MOMENTUM, OUTPUTS, Networks, Shape

SHAPE: Shape = (64, 64, 3)


def build(model: Model, shape: Shape, seed: int) -> Networks:  # noqa: ARG001 - it makes one only
    """One generator and one discriminator."""
    return Networks(generators=(_generator(model, seed),), discriminators=(_discriminator(seed),))


def _generator(model: Model, seed: int) -> keras.Model:
    """Latents to images: 18,920,323 parameters at 100 latent components."""
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Dense(4 * 4 * 1024, use_bias=False, kernel_initializer=normal(seed, "project"), name="project"),
            _norm(seed, "project"),
            layers.ReLU(),
            layers.Reshape((4, 4, 1024)),
            *_up(512, seed, "up8"),
            *_up(256, seed, "up16"),
            *_up(128, seed, "up32"),
            layers.Conv2DTranspose(
                3, 5, 2, "same", activation=OUTPUTS[model.range], kernel_initializer=normal(seed, "up64"), name="up64"
            ),
        ],
        name="generator",
    )


def _up(filters: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.Conv2DTranspose(filters, 5, 2, "same", use_bias=False, kernel_initializer=normal(seed, name), name=name),
        _norm(seed, name),
        layers.ReLU(),
    ]


def _discriminator(seed: int) -> keras.Model:
    """Images to logits: 17,236,481 parameters."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(128, 5, 2, "same", kernel_initializer=normal(seed, "down32"), name="down32"),
            layers.LeakyReLU(negative_slope=0.2),
            *_down(256, seed, "down16"),
            *_down(512, seed, "down8"),
            *_down(1024, seed, "down4"),
            layers.Flatten(),
            layers.Dense(1, kernel_initializer=normal(seed, "judge"), name="judge"),
        ],
        name="discriminator",
    )


def _down(filters: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.Conv2D(filters, 5, 2, "same", use_bias=False, kernel_initializer=normal(seed, name), name=name),
        _norm(seed, name),
        layers.LeakyReLU(negative_slope=0.2),
    ]


def _norm(seed: int, name: str) -> keras.Layer:
    gains = normal(seed, f"{name}-norm", mean=1.0)
    return layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, gamma_initializer=gains, name=f"{name}-norm")
