"""What each schedule does to the networks: how many updates, on what, and what stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from facegan import models
from facegan.data import Images
from facegan.experiment import Experiment
from facegan.models.dropout import Dropout
from facegan.models.network import DOMAINS, Networks, named_variables, trainable, variables
from facegan.training import gan, losses
from facegan.training.gan import GanTrainer, build
from facegan.training.learner import Learner
from facegan.training.schedules import SCHEDULES
from facegan.training.step import Step

ONE, TWO = "dcgan-mnist", "cogan-mnist"


def step_of(networks: Networks, schedule: str, optimizers: Sequence[Any], weight_decay: float = 0.0) -> Step:
    learners = []
    for optimizer, kind in zip(optimizers, (networks.generators, networks.discriminators), strict=True):
        optimizer.build(trainable(kind))
        learners.append(Learner(kind, optimizer, weight_decay))
    return Step(*learners, SCHEDULES[schedule])


def some(count: int, seed: int, shape: tuple[int, ...] = (28, 28, 1)) -> Any:
    return tf.random.stateless_uniform((count, *shape), (seed, 0), -1.0, 1.0)


def small(rate: float = 0.0) -> Networks:
    """One pair of 4x4 networks, its discriminator with Dropout and batch normalisation."""
    judge = [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(8, name="d1"), layers.BatchNormalization(name="n")]
    return Networks(
        generators=(
            keras.Sequential(
                [keras.Input((3,)), layers.Dense(16, name="g1"), layers.Reshape((4, 4, 1))], name="generator"
            ),
        ),
        discriminators=(
            keras.Sequential([*judge, Dropout(rate, 0, "drop"), layers.Dense(1, name="d2")], name="discriminator"),
        ),
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", [ONE, TWO])
@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_each_update_moves_its_own_networks_alone(
    name: str, schedule: str, frozen: str, make_tiny: Callable[..., Experiment]
) -> None:
    """With one optimiser at rate 0 its networks stay: nothing but their own update moves them."""
    networks = models.build(make_tiny(name).model, (28, 28, 1), 0)
    rates = [0.0 if frozen == "generator" else 1e-3, 0.0 if frozen == "discriminator" else 1e-3]
    step = step_of(networks, schedule, [keras.optimizers.SGD(rate) for rate in rates])
    kinds = [networks.generators, networks.discriminators]
    before = [[v.value.numpy() for v in trainable(kind)] for kind in kinds]
    metrics = step(tuple(some(4, 1) for _ in networks.generators), tf.random.stateless_normal((4, 100), (0, 0)))
    assert metrics.shape == (len(step.metrics),)
    for kind, old, rate in zip(kinds, before, rates, strict=True):
        moved = [not np.array_equal(v.value.numpy(), o) for v, o in zip(trainable(kind), old, strict=True)]
        assert all(moved) if rate else not any(moved)


@pytest.mark.parametrize(
    ("name", "schedule", "updates"),
    [
        (ONE, "together", 1),
        (ONE, "apart", 2),
        (ONE, "mixed", 1),
        (TWO, "together", 1),
        (TWO, "apart", 4),
        (TWO, "mixed", 1),
    ],
)
def test_discriminator_updates_a_step(
    name: str, schedule: str, updates: int, make_tiny: Callable[..., Experiment]
) -> None:
    networks = models.build(make_tiny(name).model, (28, 28, 1), 0)
    optimizers = [keras.optimizers.Adam() for _ in range(2)]
    batch = tuple(tf.zeros((4, 28, 28, 1)) for _ in networks.generators)
    step_of(networks, schedule, optimizers)(batch, tf.zeros((4, 100)))
    assert [int(optimizer.iterations) for optimizer in optimizers] == [1, updates]


def test_the_order_of_the_reference_for_two_domains(make_tiny: Callable[..., Experiment]) -> None:
    """Keras-GAN: a real, b real, a fake, b fake; what they share takes all four, its own ends two each."""
    networks = models.build(make_tiny(TWO).model, (28, 28, 1), 0)
    seen: list[tuple[str, float]] = []
    spied = tuple(Spy(judge, seen) for judge in networks.discriminators)
    learner = Learner(spied, keras.optimizers.SGD(0.1), 0.0)
    learner._optimizer.build(trainable(spied))
    real, fake = (tuple(tf.fill((2, 28, 28, 1), value + domain) for domain in (0.0, 0.1)) for value in (0.5, -0.5))
    SCHEDULES["apart"].learn(learner, real, fake)
    assert [(name[-1], round(value, 3)) for name, value in seen] == [("a", 0.5), ("b", 0.6), ("a", -0.5), ("b", -0.4)]


class Spy:
    """A model that writes down whom it shows what."""

    def __init__(self, model: Any, seen: list[tuple[str, float]]) -> None:
        self._model, self._seen = model, seen
        self.variables, self.weights = model.variables, model.weights

    def __call__(self, images: Any, *, training: bool) -> Any:
        self._seen.append((self._model.name, float(tf.reduce_mean(images))))
        return self._model(images, training=training)


def test_batch_statistics_are_of_both_only_where_both_are_one_batch() -> None:
    """With real images of one value and fake ones of another, a batch of one kind has no variance."""
    variances = {}
    for schedule in SCHEDULES:
        networks = small()
        norm = networks.discriminators[0].get_layer("n")
        step = step_of(networks, schedule, [keras.optimizers.SGD(0.0) for _ in range(2)])
        step.teach((tf.ones((4, 4, 4, 1)),), (-tf.ones((4, 4, 4, 1)),))
        variances[schedule] = float(tf.reduce_max(norm.moving_variance))
    assert variances["together"] == variances["apart"] < 1.0
    assert variances["mixed"] > variances["apart"]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_generators_images_are_judged_in_the_company_the_discriminator_knows(schedule: str) -> None:
    """Fake images alone look half real to batch normalisation that learnt on half a batch of real ones."""
    networks = small(rate=1e-9)  # draws masks, and drops nothing
    (generator,), (judge,) = networks.generators, networks.discriminators
    step = step_of(networks, schedule, [keras.optimizers.SGD(0.0) for _ in range(2)])
    real, latents = some(4, 2, (4, 4, 1)), some(4, 1, (3,))
    fake = generator(latents)
    company = tf.concat([real, fake], 0) if schedule == "mixed" else fake
    expected = float(losses.real_loss(judge(company, training=True)[-4:]))
    row = dict(zip(step.metrics, step((real,), latents).numpy(), strict=True))
    assert row["g_loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_judging_for_the_generator_moves_no_statistics_but_draws_new_masks(schedule: str) -> None:
    networks = small(rate=0.5)
    judge = networks.discriminators[0]
    step = step_of(networks, schedule, [keras.optimizers.SGD(0.0) for _ in range(2)])
    statistics = [judge.get_layer("n").moving_mean, judge.get_layer("n").moving_variance]
    (counter,) = (v for v in variables([judge]) if "float" not in v.dtype)
    before = [v.value.numpy() for v in statistics]
    drawn = int(counter.value[1])
    step._judged([some(4, 2, (4, 4, 1))], [some(4, 1, (4, 4, 1))])
    assert all(np.array_equal(v.value.numpy(), old) for v, old in zip(statistics, before, strict=True))
    assert int(counter.value[1]) == drawn + 1
    step((some(4, 1, (4, 4, 1)),), tf.zeros((4, 3)))
    passes = {"together": 2, "apart": 2, "mixed": 1}[schedule] + 1
    assert int(counter.value[1]) == drawn + 1 + passes


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "jit"])
def test_masks_are_the_same_however_steps_are_cut(
    jit: bool, make_tiny: Callable[..., Experiment], few: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 = 20x1 = 7+13 with Dropout, whose counters are part of the state."""
    tiny_images = Images(images=few.images[:, 12:16, 12:16].copy(), columns=few.columns)
    monkeypatch.setattr(gan.models, "build", lambda *_: small(rate=0.5))
    choice = f"training.compile={'jit' if jit else 'graph'}"
    settings = ("model.latent=3", "training.schedule=apart", choice)

    single = build(make_tiny(ONE, *settings), tiny_images)
    assert isinstance(single, GanTrainer)
    initial = single.snapshot()()
    assert any("drop" in name for name in named_variables(single.networks))
    metrics = [row for _ in range(20) for row in single.advance(1)]
    final = single.snapshot()()
    chunked = build(make_tiny(ONE, *settings, "training.steps_per_call=20"), tiny_images)
    for cuts in ((20,), (7, 13)):
        chunked.restore(initial)
        assert [row for count in cuts for row in chunked.advance(count)] == metrics
        assert chunked.snapshot()() == final


def test_weight_decay_is_on_kernels_alone() -> None:
    """Without any other gradient the kernels shrink by rate times decay, and nothing else moves."""
    networks = small()
    (generator,) = networks.generators
    learner = Learner((generator,), keras.optimizers.SGD(0.5), 0.1)
    learner._optimizer.build(trainable([generator]))
    before = {v.path: v.value.numpy() + 1.0 for v in trainable([generator])}
    for variable in trainable([generator]):
        variable.assign(before[variable.path])
    learner.descend(lambda: (0.0 * tf.reduce_sum(generator(tf.ones((2, 3)))), None), [generator])
    for variable in trainable([generator]):
        share = 0.95 if variable.name == "kernel" else 1.0
        assert np.allclose(variable.value.numpy(), share * before[variable.path], rtol=1e-6)


def test_fresh_latents_are_others(make_tiny: Callable[..., Experiment], few: Images) -> None:
    """The first discriminator update is on the same images; the generator learns on others."""
    states = {}
    for fresh in ("false", "true"):
        trainer = build(
            make_tiny(ONE, "training.compile=graph", f"training.fresh_latents={fresh}", "generator.learning_rate=1e-9"),
            few,
        )
        rows = trainer.advance(1)
        states[fresh] = (trainer.networks, rows[0])
    same, other = states["false"][1], states["true"][1]
    assert same["d_loss"] == other["d_loss"]
    assert same["g_loss"] != other["g_loss"]
    for one, two in zip(*(variables(networks.discriminators) for networks, _ in states.values()), strict=True):
        assert np.array_equal(one.value.numpy(), two.value.numpy()), one.path


@pytest.mark.parametrize("name", [ONE, TWO])
def test_a_warm_up_teaches_the_discriminator_alone_and_once(
    name: str, make_tiny: Callable[..., Experiment], few: Images
) -> None:
    settings = ("training.compile=graph", "training.schedule=apart")
    cold, warm = (build(make_tiny(name, *settings, f"training.warm_up={count}"), few) for count in (0, 12))
    initial = warm.snapshot()()
    pairs = zip(named_variables(cold.networks).items(), named_variables(warm.networks).items(), strict=True)
    for (path, before), (_, after) in pairs:
        assert np.array_equal(before.value.numpy(), after.value.numpy()) == path.startswith("generator"), path
    assert warm.step == 0
    assert warm.snapshot()() == initial, "once"
    first = warm.advance(1)
    assert first[0]["d_real"] > 0.9

    again = build(make_tiny(name, *settings, "training.warm_up=12"), few)
    assert again.advance(1) == first, "before the first step as before the first snapshot"
    restored = build(make_tiny(name, *settings, "training.warm_up=12"), few)
    restored.restore(initial)
    assert restored.snapshot()() == initial, "never after a restore"


def test_metrics(make_tiny: Callable[..., Experiment]) -> None:
    networks = models.build(make_tiny(TWO).model, (28, 28, 1), 0)
    step = step_of(networks, "together", [keras.optimizers.SGD(0.0) for _ in range(2)])
    row = dict(zip(step.metrics, step((some(4, 1), some(4, 2)), some(4, 3, (100,))).numpy(), strict=True))
    assert row["d_loss"] == pytest.approx(0.5 * (row["d_loss_a"] + row["d_loss_b"]), rel=1e-5)
    assert row["g_loss"] == pytest.approx(row["g_loss_a"] + row["g_loss_b"], rel=1e-5)
    assert row["d_accuracy"] == pytest.approx(0.5 * (row["d_real"] + 1 - row["d_fake"]))
    assert row["d_accuracy"] == pytest.approx(0.5 * (row["d_accuracy_a"] + row["d_accuracy_b"]))
    for place, letter in enumerate(DOMAINS):
        judge, fake = networks.discriminators[place], networks.generators[place](some(4, 3, (100,)), training=True)
        called = np.concatenate([judge(some(4, 1 + place)).numpy() > 0, judge(fake).numpy() <= 0])
        assert row[f"d_accuracy_{letter}"] == pytest.approx(called.mean()), "figure 36 of the thesis shows each"


def test_losses() -> None:
    undecided = tf.zeros((3, 1))
    assert float(losses.real_loss(undecided)) == pytest.approx(np.log(2))
    assert float(losses.fake_loss(undecided)) == pytest.approx(np.log(2))
    logits = tf.constant([[2.0], [-1.0]])
    chances = 1 / (1 + np.exp(-logits.numpy()))
    assert float(losses.real_loss(logits)) == pytest.approx(-np.log(chances).mean())
    assert float(losses.fake_loss(logits)) == pytest.approx(-np.log(1 - chances).mean())
    assert float(losses.real_loss(tf.constant([[-200.0]]))) == pytest.approx(200.0)
    assert float(losses.called_real(logits)) == 0.5
