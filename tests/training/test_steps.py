"""What a step does, and that no bit depends on how steps are grouped, stopped and taken up."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from facegan.data import Images
from facegan.experiment import Experiment, to_json
from facegan.models.network import variables
from facegan.training.gan import GanTrainer, build

KINDS = [
    ("dcgan-mnist", "graph"),
    ("cogan-mnist", "jit"),
    pytest.param(("cogan-mnist", "graph"), marks=pytest.mark.long, id="cogan-mnist-graph"),
]
FRESH = Path(__file__).with_name("fresh_process.py")


class Partition:
    """A trainer of up to 20 steps a call, and what 20 single calls of another one gave."""

    def __init__(self, experiment: Callable[..., Experiment], name: str, choice: str, few: Images) -> None:
        self.few = few
        self.settings = experiment(name, f"training.compile={choice}", "training.steps_per_call=20")
        built = build(self.settings, few)
        assert isinstance(built, GanTrainer)
        self.chunked = built
        self.initial = self.chunked.snapshot()()
        single = build(experiment(name, f"training.compile={choice}"), few)
        assert single.snapshot()() == self.initial
        self.metrics = []
        for step in range(20):
            if step == 7:
                self.at_seven = single.snapshot()()
            self.metrics += single.advance(1)
        self.final = single.snapshot()()


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def partition(request: pytest.FixtureRequest, make_tiny: Callable[..., Experiment], few: Images) -> Partition:
    return Partition(make_tiny, *request.param, few)


@pytest.mark.parametrize("cuts", [(20,), (1,) * 20, (7, 13), (19, 1)], ids=str)
def test_where_calls_are_cut_changes_no_bit(partition: Partition, cuts: tuple[int, ...]) -> None:
    trainer = partition.chunked
    trainer.restore(partition.initial)
    metrics = [row for count in cuts for row in trainer.advance(count)]
    assert trainer.step == 20
    assert trainer.snapshot()() == partition.final
    assert metrics == partition.metrics
    trainer.restore(partition.initial)
    assert trainer.advance(20) == partition.metrics, "20 at once, again"
    assert trainer.snapshot()() == partition.final


def test_taken_up_by_another_trainer(partition: Partition) -> None:
    other = build(partition.settings, partition.few)
    other.restore(partition.at_seven)
    assert other.step == 7
    assert other.snapshot()() == partition.at_seven
    assert other.advance(13) == partition.metrics[7:]
    assert other.snapshot()() == partition.final


def test_taken_up_by_another_process(partition: Partition, tmp_path: Path) -> None:
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    settings = to_json(partition.settings)
    settings["training"]["threads"] = threads
    (tmp_path / "experiment.json").write_text(json.dumps(settings))
    (tmp_path / "state").write_bytes(partition.at_seven)
    np.savez(tmp_path / "images.npz", images=partition.few.images, labels=partition.few.labels)
    answer = subprocess.run(
        [sys.executable, str(FRESH), str(tmp_path)], check=False, capture_output=True, text=True, cwd=FRESH.parents[2]
    )
    assert answer.returncode == 0, f"exit {answer.returncode}: {answer.stderr}"
    assert answer.stdout.split() == [hashlib.sha256(partition.final).hexdigest()] * 2


def test_every_weight_moves(partition: Partition) -> None:
    trainer = partition.chunked
    trainer.restore(partition.initial)
    everything = [v for kind in trainer.networks.roles.values() for v in variables(kind)]
    before = [v.value.numpy() for v in everything]
    metrics = trainer.advance(1)
    still = [v.path for v, old in zip(everything, before, strict=True) if np.array_equal(v.value.numpy(), old)]
    assert still == []
    assert all(np.isfinite(value) for value in metrics[0].values())
