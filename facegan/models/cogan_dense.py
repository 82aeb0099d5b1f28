"""Coupled GAN of dense layers, as Keras-GAN's cogan/cogan.py builds it.

Two generators share their first layers, and two discriminators all but their last one (Liu & Tuzel
2016 share the discriminators' deep end only; Keras-GAN shares the whole trunk). Layer widths,
LeakyReLU slopes of 0.2, batch normalisation with momentum 0.8 after the activation, and Keras'
default initial weights (Glorot uniform, biases zero) are Keras-GAN's. The discriminators answer with
logits where Keras-GAN ends in a sigmoid: the same function under a stabler loss.
"""

from __future__ import annotations

import math

import keras
from keras import layers

from facegan.experiment import Model
from facegan.models.initial import glorot
from facegan.models.network import DOMAINS, OUTPUTS, Networks, Shape


def build(model: Model, shape: Shape, seed: int) -> Networks:
    """A generator and a discriminator for each of the two domains."""
    latent = keras.Input((model.latent,))
    grow = keras.Sequential(
        [keras.Input((model.latent,)), *_widening(256, seed, "g1"), *_widening(512, seed, "g2")],
        name="trunk",
    )
    image = keras.Input(shape)
    judge = keras.Sequential(
        [
            keras.Input(shape),
            layers.Flatten(),
            _dense(512, seed, "d1"),
            layers.LeakyReLU(negative_slope=0.2),
            _dense(256, seed, "d2"),
            layers.LeakyReLU(negative_slope=0.2),
        ],
        name="trunk",
    )
    return Networks(
        generators=tuple(
            keras.Model(latent, _painter(model, shape, seed, domain)(grow(latent)), name=f"generator-{domain}")
            for domain in DOMAINS
        ),
        discriminators=tuple(
            keras.Model(
                image,
                _dense(1, seed, f"judge-{domain}")(judge(image)),
                name=f"discriminator-{domain}",
            )
            for domain in DOMAINS
        ),
    )


def _painter(model: Model, shape: Shape, seed: int, domain: str) -> keras.Model:
    """One domain's own end of the generator: 512 features to an image."""
    return keras.Sequential(
        [
            keras.Input((512,)),
            *_widening(1024, seed, f"g3-{domain}"),
            layers.Dense(
                math.prod(shape),
                activation=OUTPUTS[model.range],
                kernel_initializer=glorot(seed, f"g4-{domain}"),
                name=f"g4-{domain}",
            ),
            layers.Reshape(shape),
        ],
        name=f"painter-{domain}",
    )


def _widening(units: int, seed: int, name: str) -> list[keras.Layer]:
    return [
        _dense(units, seed, name),
        layers.LeakyReLU(negative_slope=0.2),
        layers.BatchNormalization(momentum=0.8, name=f"{name}-norm"),
    ]


def _dense(units: int, seed: int, name: str) -> keras.Layer:
    return layers.Dense(units, kernel_initializer=glorot(seed, name), name=name)
