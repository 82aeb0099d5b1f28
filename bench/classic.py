"""The classic Keras loop, written out: `predict` and `train_on_batch`, as Keras-GAN's scripts do it.

Two things differ from those scripts, without which nothing would train in Keras 3: the discriminator is
thawed and frozen around each call (a discriminator frozen before its first batch stays frozen, silently),
and every compiled model has an optimiser of its own. Networks and losses are those of `facegan.models`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from facegan.data import Images
from facegan.data.domains import pair
from facegan.experiment import Adam, Experiment
from facegan.models.network import Networks

Step = Callable[[], None]


def dcgan(experiment: Experiment, networks: Networks, images: NDArray[np.uint8]) -> Step:
    """One iteration of Keras-GAN's dcgan.py."""
    (generator,), (discriminator,) = networks.generators, networks.discriminators
    judge(discriminator, experiment.discriminator)
    latent = keras.Input((experiment.model.latent,))
    combined = keras.Model(latent, discriminator(generator(latent)))
    discriminator.trainable = False
    combined.compile(loss=_loss(), optimizer=_adam(experiment.generator))
    batch, data, random = experiment.training.batch_size, _scaled(images), np.random.default_rng(0)
    valid, fake = np.ones((batch, 1), np.float32), np.zeros((batch, 1), np.float32)

    def step() -> None:
        real = data[random.integers(0, len(data), batch)]
        noise = random.normal(size=(batch, experiment.model.latent)).astype(np.float32)
        made = generator.predict(noise, verbose=0)
        discriminator.trainable = True
        discriminator.train_on_batch(real, valid)
        discriminator.train_on_batch(made, fake)
        discriminator.trainable = False
        combined.train_on_batch(noise, valid)

    return step


def cogan(experiment: Experiment, networks: Networks, images: NDArray[np.uint8]) -> Step:
    """One iteration of Keras-GAN's cogan.py."""
    judges, latent = networks.discriminators, keras.Input((experiment.model.latent,))
    for each in judges:
        judge(each, experiment.discriminator)
    outputs = [d(g(latent)) for d, g in zip(judges, networks.generators, strict=True)]
    _freeze(judges, frozen=True)
    combined = keras.Model(latent, outputs)
    combined.compile(loss=[_loss(), _loss()], optimizer=_adam(experiment.generator))
    batch, random = experiment.training.batch_size, np.random.default_rng(0)
    domains = [_scaled(each.whole()) for each in pair(Images(images=images), experiment.data.domains)]
    valid, fake = np.ones((batch, 1), np.float32), np.zeros((batch, 1), np.float32)

    def step() -> None:
        chosen = random.integers(0, len(domains[0]), batch)
        noise = random.normal(size=(batch, experiment.model.latent)).astype(np.float32)
        made = [generator.predict(noise, verbose=0) for generator in networks.generators]
        _freeze(judges, frozen=False)
        for each, domain in zip(judges, domains, strict=True):
            each.train_on_batch(domain[chosen], valid)
        for each, images_made in zip(judges, made, strict=True):
            each.train_on_batch(images_made, fake)
        _freeze(judges, frozen=True)
        combined.train_on_batch(noise, [valid, valid])

    return step


def judge(discriminator: keras.Model, settings: Adam) -> None:
    """Compile a discriminator."""
    discriminator.compile(loss=_loss(), optimizer=_adam(settings), metrics=["accuracy"])


def _freeze(models: tuple[keras.Model, ...], *, frozen: bool) -> None:
    for model in models:
        model.trainable = not frozen


def _scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def _adam(settings: Adam) -> Any:  # noqa: ANN401 - keras is untyped
    return keras.optimizers.Adam(settings.learning_rate, beta_1=settings.beta_1)


def _loss() -> Any:  # noqa: ANN401 - keras is untyped
    return keras.losses.BinaryCrossentropy(from_logits=True)
