"""A state is whole, the same bytes for the same values, and refused when it is not this training's."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import safetensors.numpy

from facegan.data import Images
from facegan.errors import DamagedError
from facegan.experiment import Experiment
from facegan.training.gan import GanTrainer, build
from facegan.training.state import serialised


@pytest.fixture(scope="module")
def trainer(make_tiny: Callable[..., Experiment], few: Images) -> GanTrainer:
    built = build(make_tiny("dcgan-mnist", "training.compile=graph"), few)
    assert isinstance(built, GanTrainer)
    built.advance(1)
    return built


@pytest.fixture
def arrays(trainer: GanTrainer) -> dict[str, np.ndarray]:
    return safetensors.numpy.load(trainer.snapshot()())


def test_the_state_holds_everything(arrays: dict[str, np.ndarray]) -> None:
    assert arrays["step"].dtype == np.int64
    assert int(arrays["step"]) == 1
    networks = [name for name in arrays if name.split("/")[0] in {"generator", "discriminator"}]
    assert sum(arrays[name].size for name in networks) == 359_553 + 36_705
    assert "generator/project-norm/moving_mean" in arrays
    for role in ("generator", "discriminator"):
        kernels = [name for name in networks if name.startswith(role) and name.endswith("kernel")]
        slots = [name for name in arrays if name.startswith(f"{role}-adam/") and "kernel" in name]
        assert len(slots) == 2 * len(kernels)
        assert int(arrays[f"{role}-adam/iteration"]) == 1


def test_a_snapshot_is_of_its_moment(trainer: GanTrainer) -> None:
    before = trainer.snapshot()()
    pending = trainer.snapshot()
    trainer.advance(1)
    assert pending() == before
    trainer.restore(before)


def test_names_do_not_depend_on_what_was_built_before(
    trainer: GanTrainer, make_tiny: Callable[..., Experiment], few: Images
) -> None:
    other = build(make_tiny("dcgan-mnist", "training.compile=graph"), few)
    other.restore(trainer.snapshot()())
    assert other.snapshot()() == trainer.snapshot()()


@pytest.mark.parametrize("damage", ["cut", "empty", "lacks", "unknown", "shape", "dtype", "no step", "step below 0"])
def test_a_damaged_state_is_refused_whole(trainer: GanTrainer, arrays: dict[str, np.ndarray], damage: str) -> None:
    before = trainer.snapshot()()
    kernel = "generator/up14/kernel"
    changed = dict(arrays)
    # first in order: would be assigned before the damaged one if checking were not done first
    changed["generator/project/kernel"] = np.zeros_like(arrays["generator/project/kernel"])
    if damage == "lacks":
        del changed[kernel]
    elif damage == "unknown":
        changed["generator/extra"] = np.zeros(1, np.float32)
    elif damage == "shape":
        changed[kernel] = arrays[kernel].reshape(-1)
    elif damage == "dtype":
        changed[kernel] = arrays[kernel].astype(np.float16)
    elif damage == "no step":
        del changed["step"]
    elif damage == "step below 0":
        changed["step"] = np.asarray(-1, np.int64)
    state = safetensors.numpy.save(changed)
    state = {"cut": state[:-5], "empty": b""}.get(damage, state)
    with pytest.raises(DamagedError) as caught:
        trainer.restore(state)
    if damage in {"lacks", "shape", "dtype"}:
        assert kernel in caught.value.message
    assert trainer.step == 1
    assert trainer.snapshot()() == before


def test_a_state_is_what_safetensors_writes(arrays: dict[str, np.ndarray]) -> None:
    random = np.random.default_rng(0)
    odd = {
        "step": np.asarray(3, np.int64),
        'b/\u00e9 "': random.normal(size=(3, 4)).astype(np.float32),
        "half": np.ones(3, np.float16),
        "seeds": np.ones(2, np.uint32),
        "counts": np.arange(5, dtype=np.int32),
        "empty": np.zeros((0, 3), np.float32),
    }
    for whole in (arrays, odd):
        assert serialised(whole) == safetensors.numpy.save(whole)


def test_serialising_makes_one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegan.training.state.PIECE", 1 << 20)
    large = {f"v{place}": np.ones((5 << 20) // 4, np.float32) for place in range(8)}
    tracemalloc.start()
    state = serialised(large)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * len(state)
