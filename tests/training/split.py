"""Run by test_replicas.py in processes of their own, whose CPU is two devices: that cannot be changed once one is used.

They are forked from a server that has imported TensorFlow (tests/e2e/children.py). What they find goes to a file.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf

from facegan.catalog import CATALOG
from facegan.data import Images
from facegan.experiment import Experiment, override
from facegan.models.dropout import Dropout
from facegan.models.network import variables
from facegan.training.export import generators
from facegan.training.gan import GanTrainer, build
from facegan.training.replicas import Several
from tests.e2e import children
from tests.e2e.children import Moment
from tests.training.conftest import noise_for

TINY = ("training.batch_size=8", "training.threads=1", "training.compile=graph", "evaluation.metric=none")
STEPS, AT = 20, 7


def start(work: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start it beside the caller."""
    child = multiprocessing.get_context("forkserver").Process(target=_split, args=(work, *arguments), daemon=True)
    child.start()
    return child


def session(home: Path, run_url: str, moment: Moment | None) -> None:
    """A real session, which may come to harm."""
    children.session({"FACEGAN_HOME": str(home)}, run_url, None, moment)


def partition(name: str, settings: tuple[str, ...], sink: Path) -> None:
    """Digests of what 20 steps come to, however they are cut, and whether a state is of the form it always had."""
    images = noise_for(CATALOG[name].experiment, 40)
    trainer = _trainer(name, images, f"training.steps_per_call={STEPS}", *settings)
    initial = trainer.snapshot()()
    rows, states = {}, {}
    for cuts in ((20,), (7, 13), (1,) * 20):
        trainer.restore(initial)
        made = []
        for count in cuts:
            made += trainer.advance(count)
            if trainer.step == AT:
                at = trainer.snapshot()()
        rows[str(cuts)] = _digest(json.dumps(made).encode())
        states[str(cuts)] = _digest(trainer.snapshot()())
    one = _trainer(name, images, "training.replicas=1", *settings)
    fresh = one.snapshot()() if "training.warm_up=0" in settings else initial
    one.restore(at)
    generators(_experiment(name), at)  # raises unless all its names are there
    found = {
        "metrics": rows,
        "states": states,
        "begins as with one": fresh == initial,
        "is taken up by one": one.snapshot()() == at,
        "apart": [each.path for each in variables(trainer.networks.discriminators) if not _is_alike(each)],
        "determinism": dict(trainer.determinism),
    }
    sink.write_text(json.dumps(found))


def gradients(sink: Path) -> None:
    """First metrics and gradients of networks that normalise and drop nothing, with one replica and with two."""
    images = noise_for(CATALOG["variant-cifar10"].experiment, 40)
    # Adam's first step is the sign of the gradient, of rounding too: so short a one leaves the judge as it was.
    settings = ("training.schedule=together", "discriminator.learning_rate=1e-12", "generator.weight_decay=0.01")
    for count in (1, 2):
        trainer = _trainer("variant-cifar10", images, f"training.replicas={count}", *settings)
        for layer in trainer.networks.discriminators[0].layers:
            if isinstance(layer, Dropout):
                layer.rate = 1e-9  # draws, and drops nothing
        (metrics,) = trainer.advance(1)
        state = safetensors.numpy.load(trainer.snapshot()())
        first = {name: array for name, array in state.items() if name.endswith("_momentum")}  # half of the gradients
        np.savez(sink / f"{count}.npz", **{name.replace("/", "|"): array for name, array in first.items()})
        (sink / f"{count}.json").write_text(json.dumps(dict(metrics)))


def draws(sink: Path) -> None:
    """The mean over replicas of what each draws, and what is left in the variable it is drawn from."""
    two = Several(2)
    with two.scope():
        generator = keras.random.SeedGenerator(7, name="draws")
    body = two.spread(lambda: keras.random.uniform((10_000,), seed=generator), [generator.state])
    drawn = [tf.function(body, autograph=False)().numpy() for _ in range(2)]
    left = [value.numpy().tolist() for value in generator.state.value.values]
    spread = [float(each.std()) for each in drawn]
    sink.write_text(json.dumps({"left": left, "spread": spread, "again": bool((drawn[0] == drawn[1]).any())}))


def _split(work: Callable[..., None], *arguments: object) -> None:
    cpu, *_ = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    work(*arguments)


def _experiment(name: str, *settings: str) -> Experiment:
    return override(CATALOG[name].experiment, [*TINY, "training.replicas=2", *settings])


def _trainer(name: str, images: Images, *settings: str) -> GanTrainer:
    built = build(_experiment(name, *settings), images)
    assert isinstance(built, GanTrainer)
    return built


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_alike(variable: Any) -> bool:
    """Whether all replicas hold the same; moving statistics may differ, and no step reads them."""
    first, second = (value.numpy() for value in variable.value.values)
    return "moving_" in variable.path or np.array_equal(first, second)
