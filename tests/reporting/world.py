"""Runs with real pictures and curves, made by the real session with a toy that draws."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from facegan.experiment import Experiment
from facegan.ledger import Ledger
from facegan.storage.base import ObjectStore
from jobs import recipe
from tests.fakes.toy import ToyTrainer
from tests.unit.jobs import world

SHORT = (
    "training.steps=40",
    "checkpoint.every_steps=10",
    "samples.every_steps=2",
    "evaluation.every_steps=10",
    "session.lease_s=12",
)


class DrawingToy(ToyTrainer):
    """A toy with what a real training commits: losses, an accuracy, a judgement, grids and a comparison."""

    NAMES: Sequence[str] = ("grid", "beside")

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        values = [point["loss"] for point in super().advance(steps)]
        return [{"d_loss": 1 - v, "g_loss": v, "d_accuracy": v, "d_real": v, "d_fake": 1 - v} for v in values]

    def samples(self) -> Mapping[str, bytes]:
        return {name: picture(self.step, name) for name in self.NAMES}

    def evaluate(self) -> Mapping[str, float]:
        return {"digits-sure": super().evaluate()["share"]}


class CoupledToy(DrawingToy):
    NAMES = ("grid-a", "grid-b", "beside-a", "beside-b")


class BreakingToy(DrawingToy):
    """One that cannot be trained beyond step 25."""

    def advance(self, steps: int) -> Sequence[Mapping[str, float]]:
        if self.step + steps > 25:
            raise RuntimeError("<b>out of memory</b>")
        return super().advance(steps)


def picture(step: int, name: str = "grid") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 12), color=(step % 256, len(name), 90)).save(file, "PNG")
    return file.getvalue()


def experiment(*settings: str, name: str = "dcgan-mnist") -> Experiment:
    return recipe.resolve(name, [*SHORT, *settings], device="cpu", cores=2)


def finished(
    store: ObjectStore, run: str, chosen: Experiment | None = None, build: Any = DrawingToy, sessions: int = 1
) -> Ledger:
    """A run that was trained to its end; with two sessions the first one broke."""
    made = world.create(store, run, chosen or experiment())
    for number in range(1, sessions + 1):
        world.ask(store, run, number)
        world.train(store, number, run, build=build if number == sessions else BreakingToy)
    return made


def harm(store: ObjectStore, run: str, ending: str) -> str:
    """Damage the first object of a run whose key ends so; its key."""
    key = next(key for key in store.list(f"runs/{run}/") if key.endswith(ending))
    store.put(key, store.get(key)[:-1])
    return key


def safetensors(tensors: Mapping[str, tuple[str, list[int]]]) -> bytes:
    """A file of that format with these types and shapes, and no numbers."""
    import json

    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]} for name, (dtype, shape) in tensors.items()
    }
    encoded = json.dumps({"__metadata__": {"step": "5"}, **header}).encode()
    return struct.pack("<Q", len(encoded)) + encoded
