"""One step of a coupled GAN: four discriminator updates, then both generators at once.

The schedule of Keras-GAN's cogan.py: discriminator a on real images, b on real ones, a on fake ones, b on
fake ones, each an optimiser step of its own, so that the shared trunk takes four; then one step of
both generators on the same latents, against the discriminators that have just learnt.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from facegan.models.network import Networks, trainable
from facegan.training import losses

METRICS = ("d_loss", "g_loss", "d_loss_a", "d_loss_b", "g_loss_a", "g_loss_b")


class Coupled:
    """The step over two generators and two discriminators.

    Metrics, for each domain: `d_loss_*`, the mean of the losses on real and on fake images, and
    `g_loss_*`; `d_loss` is the domains' mean, `g_loss` their sum, which is what is minimised.
    """

    metrics = METRICS

    def __init__(self, networks: Networks, generators: Any, discriminators: Any) -> None:  # noqa: ANN401
        """`generators` and `discriminators` are the built Keras optimisers of all both have."""
        self._networks = networks
        self._optimizers = generators, discriminators
        self._trained = trainable(networks.generators)
        self._judges = [trainable([judge]) for judge in networks.discriminators]

    def __call__(self, latent: Any, real: tuple[Any, ...]) -> Any:  # noqa: ANN401 - tensors
        """Update all; latents `(n, latent)`, a batch `(n, h, w, c)` a domain. Metrics: float32 `(6,)`."""
        weights = [variable.value for variable in self._trained]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            images = [generator(latent, training=True) for generator in self._networks.generators]
            with tape.stop_recording():
                on_real = [self._learn(domain, real[domain], losses.real) for domain in (0, 1)]
                on_fake = [self._learn(domain, images[domain], losses.fake) for domain in (0, 1)]
            with keras.StatelessScope():
                judged = [
                    losses.real(judge(fake, training=True))
                    for judge, fake in zip(self._networks.discriminators, images, strict=True)
                ]
            loss = judged[0] + judged[1]
        self._optimizers[0].apply(tape.gradient(loss, weights), self._trained)
        d_losses = [0.5 * (one + other) for one, other in zip(on_real, on_fake, strict=True)]
        return tf.stack([0.5 * (d_losses[0] + d_losses[1]), loss, *d_losses, *judged])

    def _learn(self, domain: int, images: Any, wanted: Any) -> Any:  # noqa: ANN401 - tensors
        """One optimiser step of one domain's discriminator; the loss before it."""
        weights = [variable.value for variable in self._judges[domain]]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            loss = wanted(self._networks.discriminators[domain](images, training=True))
        self._optimizers[1].apply(tape.gradient(loss, weights), self._judges[domain])
        return loss
