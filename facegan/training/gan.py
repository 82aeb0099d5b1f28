"""The trainer of every GAN in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from facegan import models
from facegan.catalog.fitting import require_split
from facegan.data import Images
from facegan.data.domains import pair, single
from facegan.experiment import Adam, Experiment
from facegan.metrics import METRICS
from facegan.models.network import DOMAINS, Networks, named_variables, trainable
from facegan.trainer import Trainer
from facegan.training import device, feed, replicas, samples
from facegan.training.compiled import CompiledStep
from facegan.training.learner import Learner
from facegan.training.randomness import Purpose, latents, pixels, seed_at
from facegan.training.replicas import Replicas
from facegan.training.schedules import SCHEDULES
from facegan.training.state import State
from facegan.training.step import Step

SHOWN = 16  # generated images that are shown beside as many real ones


def build(experiment: Experiment, images: Images, run: str = "") -> Trainer:
    """A fresh trainer, at step 0, of the run whose pictures will bear the name `run`.

    `experiment.training.compile` must be settled, `graph` or `jit`. Costs about a second; the first step
    costs the compilation too. A warm-up and the training of a metric's classifier come at the first step,
    snapshot or evaluation of a trainer that was not restored: a restored one brings both along.

    Raises:
        BadInputError: the networks cannot make images of that shape, there is no such family, the domains or
            the metric do not go with the images, or the batch or this machine cannot be split into so many replicas.
    """
    require_split(experiment.training)
    device.set_up(experiment.training.threads)
    return GanTrainer(experiment, images, run)


class GanTrainer(Trainer):
    """Networks, optimisers and metric of one experiment, with their state."""

    def __init__(self, experiment: Experiment, images: Images, run: str) -> None:
        self._experiment, self._images, self._run = experiment, images, run
        self._step, self._begun = 0, False
        devices = replicas.over(experiment.training.replicas)
        with devices.scope():
            self._networks = models.build(experiment.model, feed.shape(images, experiment.data), experiment.seed)
            optimizers = _optimizers(experiment, self._networks)
        domains = single(images) if len(self._networks.generators) == 1 else pair(images, experiment.data.domains)
        chosen = experiment.evaluation.metric
        self._metric = None if chosen == "none" else METRICS[chosen](experiment, images, domains)
        self._state = State(_named(self._networks, optimizers, self._metric))
        self._feed = feed.Feed(domains, experiment.data, experiment.seed)
        step = _step(experiment, self._networks, optimizers, devices)
        self._names = step.metrics
        self._training = _training(experiment, step, self._feed, devices)
        self._warming = _warming(experiment, step, self._feed, devices)
        signature = [tf.TensorSpec((None, experiment.model.latent), tf.float32)]
        self._generate = tf.function(self._made, autograph=False, input_signature=signature)

    @property
    def networks(self) -> Networks:
        """What is trained."""
        return self._networks

    @property
    def step(self) -> int:
        return self._step

    @property
    def determinism(self) -> Mapping[str, str]:
        training = self._experiment.training
        return device.describe(training.compile, training.replicas)

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._begin()
        rows = self._training.run(self._step, steps) if steps else ()
        self._step += steps
        return [dict(zip(self._names, map(float, row), strict=True)) for row in rows]

    def snapshot(self) -> Callable[[], bytes]:
        self._begin()
        return self._state.snapshot(self._step)

    def restore(self, state: bytes) -> None:
        self._step = self._state.restore(state)
        self._begun = True

    def samples(self) -> Mapping[str, bytes]:
        made = self._drawn(Purpose.SAMPLES, self._experiment.samples.count)
        shown = [each.numpy() for each in self._feed.batch(0, min(SHOWN, len(made[0])), Purpose.SAMPLES)]
        pictures = {}
        for domain, real, fake in zip([f"-{letter}" for letter in DOMAINS], shown, made, strict=False):
            suffix = domain if len(made) > 1 else ""
            pictures[f"grid{suffix}"] = self._png(samples.grid(fake), samples.SYNTHETIC)
            pictures[f"beside{suffix}"] = self._png(samples.beside(real, fake[: len(real)]), samples.REAL_AND_SYNTHETIC)
        return pictures

    def evaluate(self) -> Mapping[str, float]:
        if self._metric is None:
            return {}
        self._begin()
        return self._metric.measure(self._drawn(Purpose.EVALUATION, self._experiment.evaluation.count))

    def _begin(self) -> None:
        """Train the metric's classifier and warm the discriminators up, once, unless a state brought that along.

        It comes before the first step and the first snapshot, and depends on data and seed alone: a
        state never lacks it, and never tells when it was made.
        """
        if self._begun:
            return
        if self._metric is not None:
            self._metric.train(self._images)
        warm_up = self._experiment.training.warm_up
        if warm_up:
            self._warming.run(-warm_up, warm_up)
        self._begun = True

    def _drawn(self, purpose: Purpose, count: int) -> list[NDArray[np.uint8]]:
        """Images of the purpose's fixed latents, uint8 `(count, h, w, c)`, an array a domain."""
        model = self._experiment.model
        fixed = latents(seed_at(self._experiment.seed, purpose, 0), count, model.latent, model.noise)
        return samples.draw(self._generate, fixed, model.range)

    def _made(self, latent: Any) -> list[Any]:  # noqa: ANN401 - tensors
        return [generator(latent, training=False) for generator in self._networks.generators]

    def _png(self, image: NDArray[np.uint8], source: str) -> bytes:
        return samples.png(image, samples.text(source, self._run, self._step))


def _optimizers(experiment: Experiment, networks: Networks) -> list[keras.optimizers.Optimizer]:
    """One Adam for all generators and one for all discriminators, their slots made at once."""
    built = []
    settings: tuple[Adam, Adam] = (experiment.generator, experiment.discriminator)
    for (role, kind), chosen in zip(networks.roles.items(), settings, strict=True):
        optimizer = keras.optimizers.Adam(chosen.learning_rate, beta_1=chosen.beta_1, name=f"{role}-adam")
        optimizer.build(trainable(kind))
        built.append(optimizer)
    return built


def _named(networks: Networks, optimizers: Sequence[Any], metric: Any) -> dict[str, Any]:  # noqa: ANN401
    """Every variable of the training under a name of its own, in a fixed order."""
    pairs = list(named_variables(networks).items())
    pairs += [(variable.path, variable) for optimizer in optimizers for variable in optimizer.variables]
    pairs += list(metric.variables.items()) if metric is not None else []
    named = dict(pairs)
    assert len(named) == len(pairs), "two variables of one name"
    return named


def _step(experiment: Experiment, networks: Networks, optimizers: Sequence[Any], devices: Replicas) -> Step:
    settings = (experiment.generator, experiment.discriminator)
    generators, discriminators = (
        Learner(kind, optimizer, chosen.weight_decay, devices)
        for kind, optimizer, chosen in zip(networks.roles.values(), optimizers, settings, strict=True)
    )
    return Step(generators, discriminators, SCHEDULES[experiment.training.schedule])


def _training(experiment: Experiment, step: Step, images: feed.Feed, devices: Replicas) -> CompiledStep:
    """The training's steps, from 0 on."""
    training, model, seed = experiment.training, experiment.model, experiment.seed
    purposes = (Purpose.LATENT, Purpose.FRESH_LATENT) if training.fresh_latents else (Purpose.LATENT,)

    def body(number: Any, *real: Any) -> Any:  # noqa: ANN401 - tensors
        drawn = [latents(seed_at(seed, p, number), training.batch_size, model.latent, model.noise) for p in purposes]
        shown = tuple(feed.scaled(devices.share(each), model.range) for each in real)
        return step(shown, *map(devices.share, drawn))

    return CompiledStep(
        lambda number: images.batch(number, training.batch_size),
        devices.spread(body, step.random),
        width=len(step.metrics),
        jit=training.compile == "jit",
        steps_per_call=training.steps_per_call,
    )


def _warming(experiment: Experiment, step: Step, images: feed.Feed, devices: Replicas) -> CompiledStep:
    """Updates of the discriminators alone, on real images and on noise, which are the steps before 0."""
    training, model, seed = experiment.training, experiment.model, experiment.seed

    def body(number: Any, *real: Any) -> Any:  # noqa: ANN401 - tensors
        key = seed_at(seed, Purpose.WARM_UP, number)
        noise = tuple(pixels(key, place, each.shape, model.range) for place, each in enumerate(real))
        shown = tuple(feed.scaled(devices.share(each), model.range) for each in real)
        verdicts = step.teach(shown, tuple(map(devices.share, noise)))
        return tf.stack([tf.add_n([each.loss for each in verdicts])])

    return CompiledStep(
        lambda number: images.batch(number, training.batch_size),
        devices.spread(body, step.random),
        width=1,
        jit=training.compile == "jit",
        steps_per_call=1,
    )
