"""How many generated digits a classifier of real digits is sure of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from facegan.data import Images
from facegan.data.domains import Domain, Look, negative, plain, turned, upright
from facegan.errors import BadInputError
from facegan.experiment import Experiment
from facegan.metrics.metric import Metric
from facegan.models.network import DOMAINS, layer_seed

SHAPE = (28, 28, 1)
SURE = 0.9  # probability of the likeliest digit
CLASSES = 11  # ten digits, and "none"
STEPS = 1_000
BATCH = 64
NOISE = 16  # images of noise that join each batch
GRAINS = (1, 2, 4, 7, 14, 28)  # pixels: noise from white to flat grey
LEARNING_RATE = 2e-3  # falls to zero in a straight line
SHIFT = 2  # pixels: each batch is moved at random by up to so many, up or down, left or right
CHUNK = 500  # images judged at once
# from what a second domain shows to digits
BACK: Mapping[Look, Look] = MappingProxyType({plain: plain, turned: upright, negative: negative})


class DigitsSure(Metric):
    """The share of images, 0 to 1, of which the classifier finds one digit at least 90 % likely.

    The classifier is a convolutional network of 30,507 parameters trained on the experiment's own real
    digits, in seconds, from `seed` alone. It has an eleventh answer, "none", which it learns on noise:
    without it a classifier is sure of anything that is not a digit at all (of 99 % of the images of a
    generator that has not learnt yet). Trained on the 5,000 digits of `mnist-5k` it reads 97 % of MNIST's
    test digits rightly and is sure of 91 % of them: what a perfect generator would score.

    Its weights are part of the training's state, so that a run that moves to another machine goes on
    being judged by the same judge.
    """

    def __init__(self, seed: int, second: Look = plain) -> None:
        """`second` makes digits again of what a second domain shows."""
        self._seed = seed
        self._back = (plain, second)
        self._model = _classifier(seed)
        self._predict = tf.function(
            lambda images: tf.nn.softmax(self._model(tf.cast(images, tf.float32) / 255.0)),
            input_signature=[tf.TensorSpec((None, 28, 28, 1), tf.uint8)],
            autograph=False,
        )

    @property
    def variables(self) -> dict[str, Any]:
        """The classifier's weights by name."""
        return {variable.path: variable for variable in self._model.variables}

    def train(self, images: Images) -> None:
        """Teach the classifier the real digits, `(n, 28, 28, 1)`, by their labels; blocks for seconds."""
        pixels, labels = images.images, images.labels
        optimizer = keras.optimizers.Adam(LEARNING_RATE, name="classifier-adam")
        optimizer.build(self._model.trainable_variables)
        weights = [variable.value for variable in self._model.trainable_variables]

        @tf.function(autograph=False)
        def learn(batch: Any, wanted: Any, rate: Any) -> None:  # noqa: ANN401 - tensors
            optimizer.learning_rate.assign(rate)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(weights)
                logits = self._model(tf.cast(batch, tf.float32) / 255.0, training=True)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
                loss = tf.reduce_mean(losses)
            optimizer.apply(tape.gradient(loss, weights), self._model.trainable_variables)

        random = np.random.Generator(np.random.Philox(key=layer_seed(self._seed, "classifier-order")))
        noise = _noise(random)
        none = np.full(NOISE, CLASSES - 1, np.int32)
        for step in range(STEPS):
            chosen = random.integers(0, len(pixels), BATCH)
            shown = [_moved(pixels[chosen], random), noise[random.integers(0, len(noise), NOISE)]]
            wanted = np.concatenate([labels[chosen].astype(np.int32), none])
            rate = LEARNING_RATE * (1.0 - step / STEPS)
            learn(tf.constant(np.concatenate(shown)), tf.constant(wanted), tf.constant(rate))

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How likely each of the ten digits is, `(n, 10)`; what lacks to one is "none"."""
        chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
        judged = [self._predict(tf.constant(chunk)).numpy() for chunk in chunks]
        return np.concatenate(judged)[:, : CLASSES - 1]

    def measure(self, domains: Sequence[NDArray[np.uint8]]) -> dict[str, float]:
        """Judge images, uint8 `(n, 28, 28, 1)`, one array a domain.

        With two domains of coupled images, `digits-sure` is their mean, `digits-sure-a` and `-b` each
        one's, and `pairs-agree` the share of pairs of which the classifier reads the same digit
        (after Liu & Tuzel 2016, section 4, who count agreeing pixels).
        """
        judged = [self.probabilities(back(images)) for back, images in zip(self._back, domains, strict=False)]
        sure = [float(np.mean(each.max(axis=1) >= SURE)) for each in judged]
        found = {"digits-sure": sum(sure) / len(sure)}
        if len(judged) > 1:
            found |= {f"digits-sure-{name}": share for name, share in zip(DOMAINS, sure, strict=True)}
            first, second = (each.argmax(axis=1) for each in judged)
            found["pairs-agree"] = float(np.mean(first == second))
        return found


def fitting(experiment: Experiment, images: Images, shown: Sequence[Domain]) -> DigitsSure:
    """The metric for the digits an experiment shows.

    Raises:
        BadInputError: they are not labelled ones of 28x28x1, or the second domain shows none.
    """
    cut = experiment.data.cut or SHAPE[0]
    if images.shape != SHAPE or cut != SHAPE[0] or "label" not in images.columns:
        found = f"{'x'.join(map(str, images.shape))}{'' if 'label' in images.columns else ', without labels'}"
        raise BadInputError(
            f'"digits-sure" needs labelled digits of 28x28x1, and "{experiment.data.name}" is of {found}',
            hint="--set evaluation.metric=none",
        )
    if shown[-1].look not in BACK:
        raise BadInputError(
            f'"digits-sure" cannot read the second domain, "{experiment.data.domains}"',
            hint="--set evaluation.metric=agreement",
        )
    return DigitsSure(experiment.seed, BACK[shown[-1].look])


def _moved(images: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """The images, all moved by the same few pixels."""
    down, right = random.integers(0, 2 * SHIFT + 1, 2)
    margin = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    return np.pad(images, margin)[:, down : down + 28, right : right + 28]


def _noise(random: np.random.Generator) -> NDArray[np.uint8]:
    """Images of random level, contrast and grain, `(1536, 28, 28, 1)`."""
    fields = []
    for grain in GRAINS:
        coarse = random.normal(size=(256, 28 // grain, 28 // grain, 1))
        field = coarse.repeat(grain, axis=1).repeat(grain, axis=2)
        level, contrast = random.uniform(0, 255, (256, 1, 1, 1)), random.uniform(0, 128, (256, 1, 1, 1))
        fields.append(np.clip(level + contrast * field, 0, 255).astype(np.uint8))
    return np.concatenate(fields)


def _classifier(seed: int) -> keras.Model:
    def init(layer: str) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=layer_seed(seed, f"classifier/{layer}"))

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, 2, "same", activation="relu", kernel_initializer=init("down14"), name="down14"),
            layers.Conv2D(32, 5, 2, "same", activation="relu", kernel_initializer=init("down7"), name="down7"),
            layers.Flatten(),
            layers.Dense(CLASSES, kernel_initializer=init("digit"), name="digit"),
        ],
        name="classifier",
    )
