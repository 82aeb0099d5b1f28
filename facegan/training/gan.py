"""The trainer of every GAN in the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from facegan import models
from facegan.data import Images
from facegan.data.domains import halves, upright
from facegan.experiment import Adam, Experiment
from facegan.metrics import METRICS
from facegan.models.network import Networks, named_variables, trainable
from facegan.trainer import Trainer
from facegan.training import device, samples
from facegan.training.alternating import Alternating
from facegan.training.compiled import CompiledStep
from facegan.training.coupled import Coupled
from facegan.training.randomness import Purpose, batch_indices, latents, seed_at
from facegan.training.state import State

SCHEDULES: Mapping[int, Any] = MappingProxyType({1: Alternating, 2: Coupled})
"""The schedule of a step by the number of image domains."""


def build(experiment: Experiment, images: Images) -> Trainer:
    """A fresh trainer, at step 0.

    `experiment.training.compile` must be settled, `graph` or `jit`. Costs about a second; the first step
    costs the compilation too. A metric's classifier is trained at the first step, snapshot or
    evaluation of a trainer that was not restored: a restored one brings it along.

    Raises:
        BadInputError: the networks cannot make images of that shape, or there is no such family.
    """
    device.set_up(experiment.training.threads)
    return GanTrainer(experiment, images)


class GanTrainer(Trainer):
    """Networks, optimisers and metric of one experiment, with their state."""

    def __init__(self, experiment: Experiment, images: Images) -> None:
        self._experiment = experiment
        self._step = 0
        self._networks = models.build(experiment.model, images.shape, experiment.seed)
        optimizers = _optimizers(experiment, self._networks)
        self._optimizers = optimizers
        chosen = experiment.evaluation.metric
        self._metric = None if chosen == "none" else METRICS[chosen](experiment.seed)
        self._untaught: Images | None = images if self._metric else None
        self._state = State(_named(self._networks, optimizers, self._metric))
        schedule = SCHEDULES[len(self._networks.generators)](self._networks, *optimizers)
        self._names = schedule.metrics
        self._compiled = _compile(experiment, schedule, _domains(self._networks, images.images))
        self._draw = tf.function(self._generate, autograph=False, reduce_retracing=True)

    @property
    def networks(self) -> Networks:
        """What is trained."""
        return self._networks

    @property
    def step(self) -> int:
        return self._step

    @property
    def determinism(self) -> Mapping[str, str]:
        return device.describe(self._experiment.training.compile)

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        self._teach()
        rows = self._compiled.run(self._step, steps) if steps else ()
        self._step += steps
        return [dict(zip(self._names, map(float, row), strict=True)) for row in rows]

    def snapshot(self) -> Callable[[], bytes]:
        self._teach()
        return self._state.snapshot(self._step)

    def restore(self, state: bytes) -> None:
        self._step = self._state.restore(state)
        self._untaught = None

    def samples(self) -> Mapping[str, bytes]:
        domains = self._images(Purpose.SAMPLES, self._experiment.samples.count)
        names = ["grid"] if len(domains) == 1 else ["grid-a", "grid-b"]
        return {name: samples.png(samples.grid(each)) for name, each in zip(names, domains, strict=True)}

    def evaluate(self) -> Mapping[str, float]:
        if self._metric is None:
            return {}
        self._teach()
        domains = self._images(Purpose.EVALUATION, self._experiment.evaluation.count)
        return self._metric.measure([upright(each) if turned else each for turned, each in enumerate(domains)])

    def _teach(self) -> None:
        """Train the metric's classifier, once, unless a restored state brought it along.

        It comes before the first step and the first snapshot, and depends on data and seed alone: a
        state never lacks it, and never tells when it was made.
        """
        if self._metric is not None and self._untaught is not None:
            self._metric.train(self._untaught.images, self._untaught.labels)
            self._untaught = None

    def _images(self, purpose: Purpose, count: int) -> list[NDArray[np.uint8]]:
        """Images of the purpose's fixed latents, uint8 `(count, h, w, c)`, an array a domain."""
        model = self._experiment.model
        fixed = latents(seed_at(self._experiment.seed, purpose, 0), count, model.latent, model.noise)
        return [samples.to_bytes(each.numpy(), model.range) for each in self._draw(fixed)]

    def _generate(self, latent: Any) -> list[Any]:  # noqa: ANN401 - tensors
        return [generator(latent, training=False) for generator in self._networks.generators]


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


def _domains(networks: Networks, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    return (images,) if len(networks.generators) == 1 else halves(images)


def _compile(experiment: Experiment, schedule: Any, domains: Sequence[NDArray[np.uint8]]) -> CompiledStep:  # noqa: ANN401
    """The step over data that lie on the device, batches gathered there."""
    data = [tf.constant(each) for each in domains]
    count, batch, seed = len(domains[0]), experiment.training.batch_size, experiment.seed
    model = experiment.model

    def inputs(step: Any) -> tuple[Any, ...]:  # noqa: ANN401 - tensors
        chosen = batch_indices(seed, Purpose.ORDER, step, batch, count)
        return tuple(tf.gather(each, chosen) for each in data)

    def body(step: Any, *real: Any) -> Any:  # noqa: ANN401 - tensors
        noise = latents(seed_at(seed, Purpose.LATENT, step), batch, model.latent, model.noise)
        return schedule(noise, tuple(_scaled(each, model.range) for each in real))

    return CompiledStep(
        inputs,
        body,
        width=len(schedule.metrics),
        jit=experiment.training.compile == "jit",
        steps_per_call=experiment.training.steps_per_call,
    )


def _scaled(images: Any, value_range: str) -> Any:  # noqa: ANN401 - tensors
    """From uint8 to float32 in the model's range: `tanh` is [-1, 1], `unit` is [0, 1]."""
    images = tf.cast(images, tf.float32)
    return images / 127.5 - 1.0 if value_range == "tanh" else images / 255.0
