"""Several replicas: the same promise as with one, and the same batch, latents and gradients.

Two devices of one CPU stand in for two GPUs. What GPUs add, copies between them, is tested nowhere.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from facegan import layout
from facegan.catalog import CATALOG
from facegan.data import Images
from facegan.errors import BadInputError
from facegan.experiment import Experiment, override
from facegan.training import device
from facegan.training.gan import build
from facegan.verify import verify
from jobs import context as contexts
from jobs import launch, recipe, settings
from jobs.backends import open_backend
from jobs.backends.base import Order
from jobs.context import Context
from tests.e2e import children
from tests.e2e.children import Moment
from tests.e2e.outcome import Outcome, entries, outcome
from tests.fakes.killing import Death
from tests.training import split

RUN = "a-run"
TWO = "training.replicas=2"
SHORT = (
    TWO,
    "training.steps=6",
    "training.batch_size=8",
    "checkpoint.every_steps=2",
    "samples.every_steps=3",
    "samples.count=4",
    "evaluation.metric=none",
    "session.lease_s=600",
)
KINDS = {
    "dcgan-mnist-keras": ("training.warm_up=0",),  # batch normalisation and Dropout
    "cogan-mnist": ("training.warm_up=2", "training.fresh_latents=true", "discriminator.weight_decay=0.001"),
}
PATIENCE_S = 400.0  # on a machine that is busy with other tests
WHILE_IT_COMMITS = Moment(kind="ledger", count=5, when=Death.BEFORE)  # its second checkpoint's entry


@pytest.fixture(scope="module", autouse=True)
def _server() -> None:
    children.ready()


@pytest.fixture(scope="module")
def partitions(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """What each kind's 20 steps come to, both at work at once."""
    folder = tmp_path_factory.mktemp("partitions")
    sinks = {name: folder / f"{name}.json" for name in KINDS}
    at_work = [split.start(split.partition, name, KINDS[name], sink) for name, sink in sinks.items()]
    assert [children.end_of(child, PATIENCE_S) for child in at_work] == [0, 0]
    return sinks


@pytest.fixture(params=KINDS)
def found(request: pytest.FixtureRequest, partitions: Mapping[str, Path]) -> Mapping[str, Any]:
    read: Mapping[str, Any] = json.loads(partitions[request.param].read_text())
    return read


def test_where_calls_are_cut_changes_no_bit(found: Mapping[str, Any]) -> None:
    """20 = 7+13 = 20x1. Another trainer that takes up what one left is below: a session after a kill."""
    assert len(found["states"]) == len(found["metrics"]) == 3
    assert len(set(found["states"].values())) == 1
    assert len(set(found["metrics"].values())) == 1


def test_a_state_is_what_it_is_with_one_replica(found: Mapping[str, Any]) -> None:
    assert found["begins as with one"]
    assert found["is taken up by one"]


def test_replicas_hold_the_same_between_steps(found: Mapping[str, Any]) -> None:
    assert found["apart"] == []


def test_the_number_of_replicas_is_part_of_the_determinism_class(found: Mapping[str, Any]) -> None:
    assert found["determinism"]["replicas"] == "2"
    assert found["determinism"]["device"].startswith("2 x ")
    assert "replicas" not in device.describe("graph"), "runs from before there were replicas stay exact"


def test_gradients_are_those_of_the_whole_batch(tmp_path: Path) -> None:
    assert children.end_of(split.start(split.gradients, tmp_path), PATIENCE_S) == 0
    metrics = [json.loads((tmp_path / f"{count}.json").read_text()) for count in (1, 2)]
    assert metrics[1] == pytest.approx(metrics[0], rel=1e-5)
    with np.load(tmp_path / "1.npz") as one, np.load(tmp_path / "2.npz") as two:
        assert len(one.files) == len(two.files) == 20
        for name in one.files:
            assert np.abs(two[name] - one[name]).max() < 1e-4 * np.abs(one[name]).max(), name


def test_each_replica_draws_its_own_and_leaves_the_same(tmp_path: Path) -> None:
    assert children.end_of(split.start(split.draws, tmp_path / "found.json")) == 0
    read = json.loads((tmp_path / "found.json").read_text())
    assert read["left"] == [[7, 2], [7, 2]]
    assert not read["again"]
    # Uniform draws spread by 0.289, and the mean of two independent ones by 0.204.
    assert read["spread"] == pytest.approx([0.204] * 2, abs=0.01)


@pytest.mark.parametrize("name", KINDS)
def test_a_kill_changes_nothing(name: str, tmp_path: Path) -> None:
    homes = [tmp_path / which for which in ("untouched", "killed")]
    contexts_of = [_created(home, name, *KINDS[name]) for home in homes]
    urls = [layout.run_url(context.store.url, RUN) for context in contexts_of]
    alone = split.start(split.session, homes[0], urls[0], None)
    assert (
        children.end_of(split.start(split.session, homes[1], urls[1], WHILE_IT_COMMITS), PATIENCE_S) == -signal.SIGKILL
    )
    assert children.end_of(alone, PATIENCE_S) == 0
    launch.bury(contexts_of[1], contexts_of[1].ledger(RUN))
    assert children.end_of(split.start(split.session, homes[1], urls[1], None), PATIENCE_S) == 0
    assert _whole(contexts_of[1], homes[1]) == _whole(contexts_of[0], homes[0])
    taken_up = [entry for entry in entries(homes[1], RUN) if entry["kind"] == "restored"]
    assert [entry["step"] for entry in taken_up] == [0, 2]
    assert taken_up[1]["join"] == "exact"
    assert taken_up[1]["determinism"]["replicas"] == "2"


def test_a_session_without_the_devices_says_so_and_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    context = _created(tmp_path / "home", "cogan-mnist")
    url = layout.run_url(context.store.url, RUN)
    assert children.end_of(children.start(tmp_path / "home", url)) == 2
    report = entries(tmp_path / "home", RUN)[-1]
    assert (report["kind"], report["outcome"], report["step"]) == ("report", "failed", 0)
    assert report["why"] == 'training.replicas is "2", and TensorFlow sees no GPU here'


def test_devices_that_are_not_there_are_refused(make_tiny: Callable[..., Experiment], few: Images) -> None:
    with pytest.raises(BadInputError, match=r'training\.replicas is "2", and TensorFlow sees no GPU here'):
        build(make_tiny("dcgan-mnist", "training.compile=graph", TWO), few)


def test_gpus_that_are_not_alike_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["Tesla T4", "Tesla T4", "NVIDIA L4"]
    kinds = {tf.config.PhysicalDevice(f"GPU:{place}", "GPU"): name for place, name in enumerate(names)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: list(kinds))
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": kinds[gpu]})
    assert device.several(2) == ["GPU:0", "GPU:1"]
    with pytest.raises(BadInputError, match="Tesla T4, Tesla T4, NVIDIA L4"):
        device.several(3)
    with pytest.raises(BadInputError, match=r'training\.replicas is "4", and TensorFlow sees 3 GPUs here'):
        device.several(4)


@pytest.mark.parametrize(
    ("wanted", "what", "hint"),
    [
        (("training.replicas=3",), 'a training.batch_size of "64" cannot be split evenly', "training.batch_size=66"),
        ((TWO, "training.compile=jit"), "XLA compiles a step for one device, not for 2", "training.compile=graph"),
    ],
)
def test_what_cannot_be_split_is_refused_before_there_is_a_run(wanted: tuple[str, ...], what: str, hint: str) -> None:
    with pytest.raises(BadInputError, match=what) as raised:
        recipe.resolve("dcgan-mnist", wanted, device="gpu", cores=2)
    assert raised.value.hint is not None
    assert hint in raised.value.hint
    assert recipe.resolve("dcgan-mnist", [TWO], device="gpu", cores=2).training.compile == "graph"


def test_a_created_run_that_cannot_be_split_is_refused_by_the_trainer(few: Images) -> None:
    uneven = override(CATALOG["dcgan-mnist"].experiment, ["training.compile=graph", "training.replicas=3"])
    with pytest.raises(BadInputError, match="cannot be split evenly over 3 replicas"):
        build(uneven, few)


@pytest.mark.parametrize(("there", "found"), [(0, "no GPU"), (1, "one GPU"), (2, None), (None, None)])
def test_more_replicas_than_gpus_are_refused_where_the_place_can_tell(there: int | None, found: str | None) -> None:
    chosen = recipe.resolve("dcgan-mnist", [TWO], device="gpu", cores=2)
    if found is None:
        recipe.require_gpus(chosen, there)
        return
    with pytest.raises(BadInputError, match=f'training.replicas is "2", and a session would have {found} there'):
        recipe.require_gpus(chosen, there)


def test_this_machine_tells_its_gpus_and_shows_as_many_as_there_are_replicas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\nprintf "NVIDIA L4\\nTesla T4\\nTesla T4\\nTesla T4\\n"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    local = open_backend("local", settings.load(environment={"FACEGAN_HOME": str(tmp_path)}, folder=tmp_path))
    assert [local.machine(gpu).gpus for gpu in (None, "T4", "L4")] == [4, 3, 1]
    order = Order(run=RUN, run_url=f"file://{tmp_path}/runs/{RUN}", number=1, gpu="T4", replicas=2)
    assert local.command(order)["environment"]["CUDA_VISIBLE_DEVICES"] == "1,2"


def _created(home: Path, name: str, *more: str) -> Context:
    home.mkdir()
    context = contexts.real(settings.load(environment={"FACEGAN_HOME": str(home)}, folder=home))
    changed = (*SHORT, *more, "data.name=mnist-5k")
    launch.create(context, RUN, recipe.resolve(name, changed, device="gpu", cores=1))
    return context


def _whole(context: Context, home: Path) -> Outcome:
    verdict = verify(context.ledger(RUN))
    assert not verdict.wrong, verdict.wrong
    found = outcome(home, RUN)
    assert (found.step, sorted(found.metrics)) == (6, list(range(1, 7)))
    return found
