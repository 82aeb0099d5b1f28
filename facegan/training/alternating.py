"""One step of a plain GAN: the discriminator, then the generator on the same fake images.

Goodfellow et al. 2014, algorithm 1 with k = 1 and the non-saturating generator loss of its section 3,
in the order of the DCGAN reference code: the fake batch is made once, the discriminator learns from it,
and the generator is judged on it by the discriminator that has just learnt.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from facegan.models.network import Networks, trainable
from facegan.training import losses

METRICS = ("d_loss", "g_loss", "d_real", "d_fake")


class Alternating:
    """The step over one generator and one discriminator.

    Metrics: `d_loss`, the mean of the losses on real and on fake images; `g_loss`; `d_real` and `d_fake`,
    the shares of real and of fake images that the discriminator took for real.
    """

    metrics = METRICS

    def __init__(self, networks: Networks, generator: Any, discriminator: Any) -> None:  # noqa: ANN401
        """`generator` and `discriminator` are the networks' built Keras optimisers."""
        (self._generator,), (self._discriminator,) = networks.generators, networks.discriminators
        self._optimizers = generator, discriminator
        self._trained = trainable(networks.generators)
        self._judging = trainable(networks.discriminators)

    def __call__(self, latent: Any, real: tuple[Any, ...]) -> Any:  # noqa: ANN401 - tensors
        """Update both; latents `(n, latent)` and one batch `(n, h, w, c)`. Metrics: float32 `(4,)`."""
        weights = [variable.value for variable in self._trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            images = self._generator(latent, training=True)
            with tape.stop_recording():
                judged = self._learn(real[0], tf.stop_gradient(images))
            # In a scope of its own: judging for the generator leaves the judge's moving statistics alone.
            with keras.StatelessScope():
                loss = losses.real(self._discriminator(images, training=True))
        self._optimizers[0].apply(tape.gradient(loss, weights), self._trained)
        return tf.stack([judged[0], loss, *judged[1:]])

    def _learn(self, real: Any, fake: Any) -> tuple[Any, ...]:  # noqa: ANN401 - tensors
        """Update the discriminator. Real and fake pass apart: batch statistics must not mix them."""
        weights = [variable.value for variable in self._judging]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            on_real = self._discriminator(real, training=True)
            on_fake = self._discriminator(fake, training=True)
            loss = 0.5 * (losses.real(on_real) + losses.fake(on_fake))
        self._optimizers[1].apply(tape.gradient(loss, weights), self._judging)
        return loss, losses.called_real(on_real), losses.called_real(on_fake)
