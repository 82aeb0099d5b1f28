"""Convolutional networks without normalisation: the variants of DCGAN in section 5.7 of the thesis.

The one for CIFAR-10 (figures 43, 44) is the blog's that the thesis follows; the one for faces (figures 46, 47) has
a layer more in each network and a 4x4 kernel at its end. Slopes of LeakyReLU are 0.2, but for the
generator's first, which is left at Keras' default of 0.3. Initial weights are Keras' own: Glorot uniform,
biases zero. The discriminators answer with a logit where the sources end in a sigmoid. `model.first_dropout`
is the Dropout after the first convolution: the thesis' annex has it (0.2), its figure 47 does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.dropout import Dropout
from facegan.models.initial import glorot
from facegan.models.network import OUTPUTS, Networks, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What differs between the sizes: pixels after each doubling, the last kernel, the judge's widths."""

    doublings: tuple[int, ...]
    last_kernel: int
    widths: tuple[int, ...]


PLANS: dict[Shape, Plan] = {
    (32, 32, 3): Plan(doublings=(8, 16, 32), last_kernel=3, widths=(64, 128, 128, 256)),
    (64, 64, 3): Plan(doublings=(8, 16, 32, 64), last_kernel=4, widths=(64, 128, 256, 256, 512)),
}


def build(model: Model, shape: Shape, seed: int) -> Networks:
    """One generator and one discriminator."""
    plan = PLANS[shape]
    return Networks(
        generators=(_generator(model, plan, seed),), discriminators=(_discriminator(model, shape, plan, seed),)
    )


def _generator(model: Model, plan: Plan, seed: int) -> keras.Model:
    """Latents to images: 1,007,363 parameters at 32x32, 1,157,635 at 64x64."""
    growing = [
        layer
        for size in plan.doublings
        for layer in (
            layers.Conv2DTranspose(128, 3, 2, "same", kernel_initializer=glorot(seed, f"up{size}"), name=f"up{size}"),
            layers.LeakyReLU(negative_slope=0.2),
        )
    ]
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Dense(4 * 4 * 256, kernel_initializer=glorot(seed, "project"), name="project"),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Reshape((4, 4, 256)),
            *growing,
            layers.Conv2D(
                3,
                plan.last_kernel,
                padding="same",
                activation=OUTPUTS[model.range],
                kernel_initializer=glorot(seed, "paint"),
                name="paint",
            ),
        ],
        name="generator",
    )


def _discriminator(model: Model, shape: Shape, plan: Plan, seed: int) -> keras.Model:
    """Images to logits: 522,497 parameters at 32x32, 2,149,249 at 64x64."""
    first, *others = plan.widths
    shrinking = [layer for place, width in enumerate(others, 1) for layer in _convolution(width, 2, seed, place)]
    softened = [Dropout(model.first_dropout, seed, "down0-dropout")] if model.first_dropout else []
    return keras.Sequential(
        [
            keras.Input(shape),
            *_convolution(first, 1, seed, 0),
            *softened,
            *shrinking,
            layers.Flatten(),
            Dropout(0.4, seed, "judge-dropout"),
            layers.Dense(1, kernel_initializer=glorot(seed, "judge"), name="judge"),
        ],
        name="discriminator",
    )


def _convolution(filters: int, stride: int, seed: int, place: int) -> list[keras.Layer]:
    name = f"down{place}"
    return [
        layers.Conv2D(filters, 3, stride, "same", kernel_initializer=glorot(seed, name), name=name),
        layers.LeakyReLU(negative_slope=0.2),
    ]
