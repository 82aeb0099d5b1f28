"""The convolutional CoGAN for faces: table 12 of Liu & Tuzel 2016, which is figure 37 of the thesis.

For 128x128 colour images, and for 64x64 with one shared layer less in each network. The generators share all
but their last two layers, the discriminators all but their first two, and the last, a single unit. What the
table leaves out is as the authors' Caffe code for faces has it: Dropout in the discriminators, weights
drawn from N(0, 0.02), biases zero, PReLU slopes for each channel from 0.25. "Same" padding of even maps puts
the odd pixel on the other side than Caffe does: the same networks on mirrored images.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.dropout import Dropout
from facegan.models.initial import normal
from facegan.models.network import DOMAINS, MOMENTUM, OUTPUTS, Networks, Shape
from facegan.models.prelu import prelu


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The layers that domains share: filters of the generators', and filters, kernel, Dropout of the judges'."""

    growing: tuple[int, ...]
    shrinking: tuple[tuple[int, int, float], ...]


SMALL = Plan(growing=(512, 256, 128), shrinking=((128, 5, 0.1), (256, 3, 0.3), (512, 3, 0.3)))
LARGE = Plan(growing=(*SMALL.growing, 64), shrinking=(*SMALL.shrinking, (1024, 3, 0.5)))
PLANS: dict[Shape, Plan] = {(64, 64, 3): SMALL, (128, 128, 3): LARGE}


def build(model: Model, shape: Shape, seed: int) -> Networks:
    """A generator and a discriminator for each of the two domains."""
    plan = PLANS[shape]
    latent, image = keras.Input((model.latent,)), keras.Input(shape)
    grow, judge = _trunk(model, plan, seed), _judge(shape, plan, seed)
    return Networks(
        generators=tuple(
            keras.Model(
                latent, _painter(model, grow.output_shape, seed, domain)(grow(latent)), name=f"generator-{domain}"
            )
            for domain in DOMAINS
        ),
        discriminators=tuple(
            keras.Model(image, judge(_eye(shape, seed, domain)(image)), name=f"discriminator-{domain}")
            for domain in DOMAINS
        ),
    )


def _trunk(model: Model, plan: Plan, seed: int) -> keras.Model:
    """Latents to half the images' size, shared. Table 12, layers 1 to 5."""
    return keras.Sequential(
        [
            keras.Input((model.latent,)),
            layers.Reshape((1, 1, model.latent)),
            layers.Conv2DTranspose(1024, 4, kernel_initializer=normal(seed, "grow1"), name="grow1"),
            *_finish("grow1"),
            *(layer for place, filters in enumerate(plan.growing, 2) for layer in _up(filters, seed, f"grow{place}")),
        ],
        name="trunk",
    )


def _painter(model: Model, features: tuple[int, ...], seed: int, domain: str) -> keras.Model:
    """One domain's own end of the generator. Table 12, layers 6 and 7."""
    name = f"paint-{domain}"
    return keras.Sequential(
        [
            keras.Input(features[1:]),
            *_up(32, seed, f"grow-{domain}"),
            layers.Conv2DTranspose(
                3,
                3,
                padding="same",
                activation=OUTPUTS[model.range],
                kernel_initializer=normal(seed, name),
                name=name,
            ),
        ],
        name=f"painter-{domain}",
    )


def _eye(shape: Shape, seed: int, domain: str) -> keras.Model:
    """One domain's own beginning of the discriminator. Table 12, layers 1 and 2."""
    return keras.Sequential(
        [keras.Input(shape), *_down(32, 5, seed, f"look1-{domain}"), *_down(64, 5, seed, f"look2-{domain}")],
        name=f"eye-{domain}",
    )


def _judge(shape: Shape, plan: Plan, seed: int) -> keras.Model:
    """From a quarter of the images' size to logits, shared. Table 12, layers 3 to 8."""
    shrinking = [
        layer
        for place, (filters, kernel, rate) in enumerate(plan.shrinking, 3)
        for layer in (*_down(filters, kernel, seed, f"look{place}"), Dropout(rate, seed, f"look{place}-dropout"))
    ]
    return keras.Sequential(
        [
            keras.Input((shape[0] // 4, shape[1] // 4, 64)),
            *shrinking,
            layers.Flatten(),
            layers.Dense(2048, kernel_initializer=normal(seed, "features"), name="features"),
            layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name="features-norm"),
            prelu("features-slope"),
            Dropout(0.5, seed, "features-dropout"),
            layers.Dense(1, kernel_initializer=normal(seed, "judge"), name="judge"),
        ],
        name="judge",
    )


def _up(filters: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.Conv2DTranspose(filters, 4, 2, "same", kernel_initializer=normal(seed, name), name=name),
        *_finish(name),
    ]


def _down(filters: int, kernel: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        layers.Conv2D(filters, kernel, 2, "same", kernel_initializer=normal(seed, name), name=name),
        *_finish(name),
    ]


def _finish(name: str) -> list[keras.Layer]:
    return [
        layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5, name=f"{name}-norm"),
        prelu(f"{name}-slope", shared_axes=(1, 2)),
    ]
